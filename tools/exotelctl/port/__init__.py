"""``port-clean``: facts about a port, a pure plan, one executor that re-checks every fact before each signal."""
