"""Describe the mode `ai` to the server. Loads neither pipecat nor a model before they are needed."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec

from exotel_ws.ai import environment
from exotel_ws.ai.settings import Ai
from exotel_ws.logs import printable
from exotel_ws.modespec import ModeSpec, SelfTest, SelfTestError
from exotel_ws.responder import Mode
from exotel_ws.settings import Settings, SettingsError

_NEEDS: Final = ("aiohttp", "hibari", "jsonschema", "moonshine_voice", "pipecat", "rapidfuzz", "soxr", "yaml")
"""Packages of the extra ``ai`` that are imported by name."""
_CALL_TIMEOUT_S: Final = 60.0
"""Seconds for a spoken call, on a host that may be busy with calls."""


def _make(settings: Settings) -> Mode:
    _require()
    from exotel_ws.ai.mode import AiMode

    return AiMode(settings)


def _check(settings: Settings) -> list[str]:
    _require()
    from exotel_ws.ai.bots import derive
    from exotel_ws.ai.providers import keys

    ai = msgspec.convert(settings.ai, Ai)
    return derive.load(ai, settings.paths, read_keys=keys.directory() is not None).unread


def _check_flow(file: Path) -> str:
    from exotel_ws.ai.scripted import flow

    try:
        found = flow.load(file)
    except flow.FlowError as error:
        raise SettingsError(error.problems) from None
    return printable(f"{file}: ok, intents: {', '.join(found.intents)}", 1000)


def _self_test(settings: Settings) -> SelfTest:
    """Test the embedded services, whatever the settings choose: a self-test costs nothing and needs no key."""
    _require()
    from exotel_ws.ai import selftest

    async def call(port: int) -> None:
        try:
            await selftest.check_call(port)
        except selftest.Misheard as error:
            raise SelfTestError(str(error)) from None

    try:
        selftest.check_models()
    except selftest.Misheard as error:
        raise SelfTestError(str(error)) from None
    return SelfTest(
        msgspec.structs.replace(settings, ai=msgspec.to_builtins(selftest.SETTINGS)),
        call,
        timeout_s=_CALL_TIMEOUT_S,
        shown="health answered, speech was made and understood, a question in a call got its answer",
    )


def _require() -> None:
    """Check that the extra is installed, and prepare this process for it before anything of it is imported."""
    missing = [name for name in _NEEDS if find_spec(name) is None]
    if missing:
        raise SettingsError([f"ai is not installed ({', '.join(missing)}). Add to the inventory: exotel_ws_extras: [ai]"])
    environment.prepare()
    from exotel_ws.ai import pipecat_logs

    pipecat_logs.route()  # now: pipecat logs as soon as it is imported


SPEC: Final = ModeSpec(
    service="exotel-voicebot",
    title="Voicebot",
    make=_make,
    check=_check,
    self_test=_self_test,
    table=Ai,
    files=("flow", "prompt", "bots.*.flow", "bots.*.prompt"),
    check_flow=_check_flow,
)
