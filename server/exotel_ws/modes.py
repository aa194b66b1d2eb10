"""The modes by name. Only the one that is chosen is imported: echo never pays for what ai needs."""

from typing import Final

from exotel_ws.responder import Mode
from exotel_ws.settings import Mode as Name
from exotel_ws.settings import Settings

SERVICES: Final[dict[Name, str]] = {"echo": "exotel-passthrough", "ai": "exotel-voicebot"}
"""What ``GET /health`` calls the server in each mode; monitors of the guide's servers look for it."""


def choose(settings: Settings) -> Mode:
    """The mode that ``settings`` ask for. Raises `SettingsError` where it is not installed, or lacks what it needs."""
    if settings.mode == "echo":
        from exotel_ws.echo import EchoMode

        return EchoMode()
    from exotel_ws.ai.mode import AiMode

    return AiMode(settings)
