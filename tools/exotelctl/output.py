"""Where results go: text for people or one JSON object to standard output, doubts to standard error."""

import json
import sys
from collections.abc import Mapping


def say(text: str = "") -> None:
    """One line for people, shown at once."""
    print(text, flush=True)


def warn(text: str) -> None:
    """A doubt about the result, to standard error: the result itself may be captured by a script."""
    print(f"⚠️  {text}", file=sys.stderr, flush=True)


def emit_json(value: Mapping[str, object]) -> None:
    """``value`` as one indented JSON object."""
    print(json.dumps(value, indent=2, ensure_ascii=False), flush=True)


def tolerate_narrow_terminals() -> None:
    """Let output lose an emoji, not the run, where the terminal's encoding is not UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
