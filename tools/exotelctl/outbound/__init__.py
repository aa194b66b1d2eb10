"""Place calls by Exotel's API, each with its audio connected to a bot of ours."""
