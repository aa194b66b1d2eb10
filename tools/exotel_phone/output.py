"""Print results: text for people or one JSON object to standard output, doubts to standard error."""

import json
import sys
from collections.abc import Mapping


def say(text: str = "") -> None:
    """Print a line for people, at once."""
    print(text, flush=True)


def warn(text: str) -> None:
    """Print a doubt about the result to standard error: a script may capture the result itself."""
    print(f"⚠️  {text}", file=sys.stderr, flush=True)


def json_text(value: object, *, indent: int | None = None) -> str:
    r"""Return ``value`` as JSON fit for a terminal: unprintable characters are ``\uXXXX``, letters and emoji stay."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    # json.dumps escapes line ends inside of strings: one that is here is its own indentation.
    return "\n".join(line if line.isprintable() else "".join(map(_escaped, line)) for line in text.split("\n"))


def _escaped(char: str) -> str:
    return char if char.isprintable() else json.dumps(char)[1:-1]


def emit_json(value: Mapping[str, object]) -> None:
    """Print ``value`` as one indented JSON object."""
    print(json_text(value, indent=2), flush=True)


def tolerate_narrow_terminals() -> None:
    """Print a substitute for an emoji, instead of failing, if the terminal's encoding is not UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
