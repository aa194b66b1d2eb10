"""``exotelctl status``: facts about this host, judged, and shown once or again and again."""
