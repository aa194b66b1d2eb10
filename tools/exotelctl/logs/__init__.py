"""``exotelctl logs``: a question, the journal's answer as a story in order, lines for people or for programs."""
