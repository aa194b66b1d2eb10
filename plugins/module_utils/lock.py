"""Allow one deploy at a time on a host, and tell a second one who holds the lock."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MOST_BYTES = 1024
_MOST_SHOWN = 200


class Locked(Exception):
    """Somebody else holds the deploy lock; the message names them."""


@contextmanager
def deploy_lock(path: Path, holder: str, proc: Path = Path("/proc")) -> Iterator[None]:
    """Hold the lock while the block runs. `holder` says who and what, for others to read.

    Only the owner of its directory can open the file, so that nobody else can hold it. Never waits: raises Locked at once
    when it is taken, and OSError when the file is not one of ours. The kernel frees it with the process.
    """
    descriptor = _open(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked(_turn_of(descriptor, proc)) from None
        os.ftruncate(descriptor, 0)
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        os.write(descriptor, f"{_shown(holder)}, since {since}\n".encode())
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchmod(directory, 0o700)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path.name, flags, 0o600, dir_fd=directory)
    finally:
        os.close(directory)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is no file: look who put it there, and remove it")
    os.fchmod(descriptor, 0o600)
    return descriptor


def _turn_of(descriptor: int, proc: Path) -> str:
    """Describe the holder of the lock: its own words and its process, so that a stuck one can be found."""
    said = _shown(os.pread(descriptor, _MOST_BYTES, 0).decode("utf-8", "replace")) or "somebody who left no name"
    pid = _holding_pid(os.fstat(descriptor).st_ino, proc)
    hangs = f"; if it hangs, look at it: ps -o pid,etime,args -p {pid}" if pid else ""
    return f"another deploy is under way on this host: {said}. Try again after it{hangs}"


def _holding_pid(inode: int, proc: Path) -> int:
    """Return the pid that holds a lock on the file `inode`; 0 if unknown."""
    try:
        held = [line.split() for line in (proc / "locks").read_text().splitlines()]
        return next((int(fields[4]) for fields in held if fields[1] == "FLOCK" and fields[5].endswith(f":{inode}")), 0)
    except (OSError, ValueError, IndexError):
        return 0


def _shown(text: str) -> str:
    """Return one line of `text` that a terminal can show."""
    words = " ".join(text.split())
    return "".join(char if char.isprintable() else "?" for char in words)[:_MOST_SHOWN]
