"""Count what a worker does (`tally`) and publish the counts of a host (`publisher`)."""
