"""AI mode measured: spoken calls to our server and, beside it, to pipecat's own Exotel path with the same services."""
