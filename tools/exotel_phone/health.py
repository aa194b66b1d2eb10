"""Ask a server for its ``/health`` and judge the answer, above all for the mode: a verb that expects an echo has to know it."""

import asyncio
import json

from exotel_phone.exits import Refusal
from exotel_phone.http_request import get
from exotel_phone.reach import Unreachable
from exotel_phone.target import Target
from exotel_phone.text import printable

AI = "ai"
_ASK_S = 2.0


def fault_of(status: int, body: str) -> str:
    """Return the fault of an answer of ``/health`` in one sentence; "" if it says ok."""
    if status == 200 and _field(body, "status") == "ok":
        return ""
    return f"/health says HTTP {status} {printable(body, 80)!r}, not 200 with status ok"


def mode_of(body: str) -> str:
    """Return the mode that ``/health`` names; empty if it names none, as other makers' servers do."""
    return _field(body, "mode")


def mode(target: Target) -> str:
    """Return the mode of a server; "" if there is no answer or no mode in it."""
    try:
        return mode_of(asyncio.run(get(target, "/health", timeout_s=_ASK_S)).body)
    except Unreachable:
        return ""


def require_echo(target: Target, verb: str) -> None:
    """Raise Refusal if the server says that it is in mode ai; any other trouble is left to the verb."""
    if mode(target) == AI:
        raise Refusal(
            f"{verb} expects an echo, and {target.netloc} is in mode ai: its bot answers in words of its own. "
            "Talk to it: exotelctl talk URL …"
        )


def _field(body: str, name: str) -> str:
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    return str(said.get(name, "")) if isinstance(said, dict) else ""
