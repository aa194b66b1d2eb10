"""Tools against real sockets and real processes of this machine's loopback."""
