"""``verify``: judge what the doctor sees of a host, and a look at it from another machine, as one proof that it takes calls."""
