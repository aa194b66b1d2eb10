"""Pure tests of the server's parts: no network but a UNIX socket in a temporary directory, no process but for metrics."""
