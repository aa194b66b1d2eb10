"""Google's Compute API for tests: a server that is held to Google's own description of the API, request by request."""
