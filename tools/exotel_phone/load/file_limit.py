"""Raise the limit of open files: each call is one, and a login usually has a soft limit of 1024."""

import resource

from exotel_phone.exits import Refusal

_OTHERS = 64
"""Files that a process has open besides its calls."""


def raise_file_limit(calls: int) -> None:
    """Let every process of this load have ``calls`` open. Raises Refusal if the hard limit is lower."""
    needed = calls + _OTHERS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise Refusal(
            f"{calls} calls a process need {needed} open files, the limit here is {hard}: "
            f"as root `ulimit -n {needed}`, then again; or fewer --calls"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
