"""Ask a server for its mode, which a verb that expects an echo has to know first."""

import asyncio
import json

from exotel_phone.exits import Refusal
from exotel_phone.http_get import get
from exotel_phone.reach import Unreachable
from exotel_phone.target import Target

AI = "ai"
_ASK_S = 2.0


def mode(target: Target) -> str:
    """Return ``mode`` of the answer of /health; "" if there is no answer or no mode in it."""
    try:
        answer = asyncio.run(get(target, "/health", timeout_s=_ASK_S))
        said = json.loads(answer.body)
    except (Unreachable, ValueError):
        return ""
    return str(said.get("mode", "")) if isinstance(said, dict) else ""


def require_echo(target: Target, verb: str) -> None:
    """Raise Refusal if the server says that it is in mode ai; any other trouble is left to the verb."""
    if mode(target) == AI:
        raise Refusal(
            f"{verb} expects an echo, and {target.netloc} is in mode ai: its bot answers in words of its own. "
            "Talk to it: exotelctl talk URL …"
        )
