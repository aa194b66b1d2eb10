"""Find a mode by its name. Only the chosen mode is imported: echo never pays for what ai needs."""

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:  # the settings import this module
    from exotel_ws.modespec import ModeSpec
    from exotel_ws.responder import Mode
    from exotel_ws.settings import ModeName, Settings

_MODULES: Final[dict[str, str]] = {"echo": "exotel_ws.echo.spec", "ai": "exotel_ws.ai.spec"}
"""The module of each mode. Its ``SPEC`` is a `ModeSpec`."""


def find(name: "ModeName") -> "ModeSpec":
    """Return the spec of the mode of that name."""
    spec: ModeSpec = importlib.import_module(_MODULES[name]).SPEC
    return spec


def make(settings: "Settings") -> "Mode":
    """Make the mode that ``settings`` ask for. Raises `SettingsError` if it is not installed or can't use them."""
    return find(settings.mode).make(settings)


def check(settings: "Settings") -> list[str]:
    """Find what would stop `make`, see `ModeSpec.check`. Raises `SettingsError`."""
    return find(settings.mode).check(settings)
