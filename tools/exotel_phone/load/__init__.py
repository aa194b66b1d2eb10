"""``load``: a pure plan, workers that carry it out and measure, the merged tally, a pure verdict, a table and a page."""
