"""The real server, as a process, spoken to over loopback as Exotel speaks to it; everything on both engines."""
