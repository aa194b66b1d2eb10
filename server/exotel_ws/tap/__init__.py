"""Show the messages of live calls to a client of the admin socket. Start with `taps`; docs/capture.md documents the format."""
