"""Ask before a verb acts."""

import sys


def agreed(question: str) -> bool:
    """Ask ``question`` on the terminal; return False if there is none, or if the answer is not yes."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    try:
        answer = input(f"{question} [y/N] ")
    except (EOFError, KeyboardInterrupt):
        return False
    return answer.strip().lower() in ("y", "yes")
