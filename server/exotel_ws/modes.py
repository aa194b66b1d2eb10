"""The modes by name. Only the one that is chosen is imported: echo never pays for what ai needs."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from exotel_ws.responder import Mode
from exotel_ws.settings import Mode as Name
from exotel_ws.settings import Settings, SettingsError

SERVICES: Final[dict[Name, str]] = {"echo": "exotel-passthrough", "ai": "exotel-voicebot"}
"""What ``GET /health`` calls the server in each mode; monitors of the guide's servers look for it."""

_NEEDS: Final = ("aiohttp", "hibari", "moonshine_voice", "pipecat", "rapidfuzz", "soxr", "yaml")
"""The packages of the extra ``ai`` that are imported by name."""


def choose(settings: Settings) -> Mode:
    """The mode that ``settings`` ask for. Raises `SettingsError` where it is not installed, or lacks what it needs."""
    if settings.mode == "echo":
        from exotel_ws.echo import EchoMode

        return EchoMode()
    _installed()
    from exotel_ws.ai.mode import AiMode

    return AiMode(settings)


def check(settings: Settings) -> list[str]:
    """Find what would stop `choose`, as far as can be told before a model is loaded. Raises `SettingsError`.

    Returns the credentials that could not be looked for: outside a unit of systemd there are none.
    """
    if settings.mode == "echo":
        return []
    _installed()
    from exotel_ws.ai.providers import keys, supply
    from exotel_ws.ai.scripted import flow

    if settings.ai.flow:
        try:
            flow.load(Path(settings.ai.flow))
        except flow.FlowError as error:
            raise SettingsError([f"ai.flow: {problem}" for problem in error.problems]) from None
    return supply.check(settings.ai, read_keys=keys.directory() is not None)


def _installed() -> None:
    """pipecat logs as soon as it is imported: where to is settled before."""
    missing = [name for name in _NEEDS if find_spec(name) is None]
    if missing:
        raise SettingsError([f"ai is not installed ({', '.join(missing)}). Add to the inventory: exotel_ws_extras: [ai]"])
    from exotel_ws.ai import pipecat_logs

    pipecat_logs.route()
