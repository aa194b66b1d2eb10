"""Describe a mode to the server: its names, settings, checks and self-test, and how to make its `exotel_ws.responder.Mode`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from exotel_ws.responder import Mode
from exotel_ws.settings import Settings, SettingsError


class SelfTestError(Exception):
    """Failure of this release's self-test; the message has the attempt and the result."""


@dataclass(frozen=True)
class SelfTest:
    """Test of a worker of one mode: start it with ``settings``, call it with ``call`` on a port of 127.0.0.1.

    ``call`` raises `SelfTestError`; it is given ``timeout_s`` seconds. ``shown`` is a sentence on what a passed test proves.
    """

    settings: Settings
    call: Callable[[int], Awaitable[None]]
    timeout_s: float
    shown: str


def _no_flow(file: Path) -> str:
    raise SettingsError([f"{file}: this mode has no flows"])


@dataclass(frozen=True)
class ModeSpec:
    """Describe a mode before a worker runs it. Loading a spec is cheap; its functions import what they need.

    ``service`` is the mode's name in ``GET /health``; monitors of the guide's servers look for it. ``title`` is its name for
    people.
    """

    service: str
    title: str
    make: Callable[[Settings], Mode]
    """Make the mode for a worker. Raises `SettingsError` if it is not installed, or if its settings can't be used."""
    check: Callable[[Settings], list[str]]
    """Find what would stop ``make``, without loading a model. Raises `SettingsError`.

    Returns the credentials that could not be looked for: outside a unit of systemd there are none.
    """
    self_test: Callable[[Settings], SelfTest]
    """Test what needs no worker; return the test that does. Raises `SelfTestError`."""
    table: type[Struct] | None = None
    """Type of the mode's own table of settings, which has the mode's name; None: it has none."""
    files: tuple[str, ...] = ()
    """Keys of the table that name files; a relative path is beside the settings file. ``a.*.b``: ``b`` of each table in ``a``."""
    check_flow: Callable[[Path], str] = _no_flow
    """Check the file of a scripted flow; return what to tell of it. Raises `SettingsError`."""
