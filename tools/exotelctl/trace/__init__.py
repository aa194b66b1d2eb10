"""``exotelctl trace``: calls as ladders, message by message, live or from a saved capture."""
