"""Derive the bound on connections from the limit of open files, with a reserve for everything else."""

import resource
from pathlib import Path
from typing import Final

_MOST_RESERVED: Final = 256
"""Open files kept for the admin socket, the journal, metrics, recordings, and the services that AI mode asks."""


def lift_limit() -> None:
    """Raise the soft limit to the hard one: the usual soft limit, 1024, is below ``limits.max_connections``."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def most_connections() -> int:
    """Return the number of connections that this process may hold, with a reserve of files left."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return 1_000_000
    try:
        used = sum(1 for _ in Path("/proc/self/fd").iterdir())
    except OSError:
        used = 32
    return max(8, limit - used - min(_MOST_RESERVED, limit // 4))
