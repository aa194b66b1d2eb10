"""Hide secrets, numbers and audio in the messages that leave a worker. Start with `redactor`."""
