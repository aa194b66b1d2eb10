"""Search for keys where none should be: run on a lab host as root, or here, with the forms of keys by standard input, one a line.

usage: key_search.py FOLDER...
It looks into every file of the folders but the kernel's, and into the command line and the environment of every process, and
prints one JSON object: each place where one was found, with the place's mode and owner. It prints no key.
"""

import contextlib
import json
import os
import re
import stat
import sys
from collections.abc import Iterator

MOST_BYTES = 64 << 20
AT_ONCE = 1 << 20
KERNEL = ("/proc", "/sys", "/dev")


def main() -> None:
    """Print where the forms of standard input were found."""
    forms = [line.encode() for line in sys.stdin.read().split()]
    if not forms or min(map(len, forms)) < 8:
        raise SystemExit("forms of keys are expected on standard input, none of them shorter than 8 characters")
    wanted = re.compile(b"|".join(map(re.escape, forms)))
    longest = max(map(len, forms))
    found = {}
    for path in (*_files(sys.argv[1:]), *_processes()):
        with contextlib.suppress(OSError):  # it has ended or is gone
            if _holds(path, wanted, longest):
                about = os.stat(path)
                found[path] = {"mode": oct(stat.S_IMODE(about.st_mode)), "uid": about.st_uid}
    print(json.dumps(found))


def _files(folders: list[str]) -> Iterator[str]:
    for folder in folders:
        for where, _, names in os.walk(folder):
            if not where.startswith(KERNEL):
                for path in (os.path.join(where, name) for name in names):
                    if stat.S_ISREG(os.lstat(path).st_mode) if os.path.lexists(path) else False:
                        yield path


def _processes() -> Iterator[str]:
    own = str(os.getpid())
    for name in os.listdir("/proc"):
        if name.isdecimal() and name != own:
            yield f"/proc/{name}/cmdline"
            yield f"/proc/{name}/environ"


def _holds(path: str, wanted: "re.Pattern[bytes]", longest: int) -> bool:
    """Return whether the first `MOST_BYTES` of a file hold what is wanted."""
    with open(path, "rb") as file:
        rest, seen = b"", 0
        while seen < MOST_BYTES and (block := file.read(AT_ONCE)):
            if wanted.search(rest + block):
                return True
            rest, seen = block[-longest:], seen + len(block)
    return False


if __name__ == "__main__":
    main()
