"""``verify``: what the doctor sees of a host, and a look at it from another machine, judged as one proof that it takes calls."""
