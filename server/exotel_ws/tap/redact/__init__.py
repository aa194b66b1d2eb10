"""Let only the protocol's own fields leave a worker, and of them no secret. Start with `redactor`."""
