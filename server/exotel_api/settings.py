"""Read the companion's settings: one TOML file, judged as the server's is."""

from pathlib import Path
from typing import Annotated

from exotel_ws.settings import Log, Port, SettingsError, converted, read, unknown_keys
from msgspec import Meta, Struct

from exotel_api.callbacks.ended_stream import Condition


class Passthru(Struct, frozen=True, forbid_unknown_fields=True):
    """Exotel's Passthru applet: a call takes the second way out of it, 302, under any of the conditions ``second_way``."""

    second_way: tuple[Condition, ...] = ("stream_failed",)


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be set. ``inbox``: directory of callbacks that wait for the database, at most ``most_waiting``."""

    host: str = "127.0.0.1"
    port: Port = 8009
    inbox: str = "/var/lib/exotel-api/inbox"
    most_waiting: Annotated[int, Meta(ge=1, le=10_000_000)] = 100_000
    passthru: Passthru = Passthru()
    log: Log = Log()


def load(path: Path) -> Settings:
    """Read and check a settings file. Raises `SettingsError` that names the file, the key and the cure."""
    raw = read(path)
    try:
        if problems := unknown_keys(Settings, raw, ""):
            raise SettingsError(problems)
        return converted(raw, Settings, "")
    except SettingsError as error:
        raise SettingsError([f"{path}: {problem}" for problem in error.problems]) from None
