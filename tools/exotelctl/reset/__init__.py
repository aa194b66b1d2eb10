"""``reset``: facts of the host, a pure plan that says how many calls it cuts, one executor that proves each of its claims."""
