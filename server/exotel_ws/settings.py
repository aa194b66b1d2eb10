"""Read the server's settings: one TOML file; every key is known, and every value is checked before anything starts."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from exotel_ws import modes

if TYPE_CHECKING:
    from exotel_ws.modespec import ModeSpec

AStruct = TypeVar("AStruct", bound=Struct)
Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]

ModeName = Literal["echo", "ai"]
EngineName = Literal["picows", "websockets"]
LogFormat = Literal["auto", "terminal", "journal", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


class SettingsError(Exception):
    """The settings can't be used. Each of ``problems`` names the place, the fault and the cure."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of one worker process."""

    max_calls: Count = 500
    max_connections: Count = 2000
    max_message_bytes: Annotated[int, Meta(ge=1024, le=16 * 1024 * 1024)] = 256 * 1024
    handshake_timeout_s: Seconds = 10.0
    start_timeout_s: Seconds = 5.0
    """Seconds from the handshake to the start message; Exotel sends its start within milliseconds."""
    media_timeout_s: Seconds = 15.0
    """Seconds without media after which a call is ended; Exotel sends 50 media messages a second, during silence too."""
    max_call_s: Seconds = 3700.0
    """Seconds that a call may last; above Exotel's own 60 minutes, so that Exotel ends a long call first."""
    max_faults: Count = 50
    """Malformed messages at once before the connection is closed with 1008. A minute, or 50 media each, earn them back."""
    messages_per_s: Annotated[float, Meta(gt=0, le=1_000_000)] = 200.0
    """Frames a second that one call may send, pings and fragments included: four times a phone's 50."""
    messages_burst: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 2000
    """Frames that one call may send at once after a pause: 40 seconds of audio that the network held back."""
    bytes_per_s: Annotated[int, Meta(ge=1024, le=1_000_000_000)] = 512 * 1024
    """Bytes a second that one call may send; PCM at 24 kHz takes 64 kB in base64."""
    bytes_burst: Annotated[int, Meta(ge=1024, le=1_000_000_000)] = 16 * 1024 * 1024
    """Bytes at once after a pause: four minutes of PCM at 24 kHz, for a client that sends a recording at full speed."""
    early_message_bytes: Annotated[int, Meta(ge=1024, le=16 * 1024 * 1024)] = 8 * 1024
    """Bytes of one message up to and including start; a start message has less than 1 kB."""
    early_messages: Count = 100
    """Frames in total before the start; a phone sends two."""
    calls_per_source: Annotated[int, Meta(ge=0)] = 0
    """WebSockets that one address may have open; 0: as many as there are. All of Exotel's calls come from few addresses."""
    unproven_per_source: Count = 600
    """Connections of one address without a start: some more than the default ``max_calls``, which may all begin at once."""
    unproven_total: Count = 1500
    """Connections of all addresses without a start; beyond that, the address with the most of them loses one."""
    reserved_connections: Annotated[int, Meta(ge=0)] = 200
    """Part of ``max_connections`` kept for clients that have shown a credential or made calls before."""
    handshakes_per_source_s: Annotated[float, Meta(gt=0, le=1_000_000)] = 50.0
    """New connections a second of one unproven address, once it has used up its ``handshakes_burst``."""
    handshakes_burst: Count = 2000
    proven_s: Seconds = 3600.0
    """Seconds that an address stays trusted after a call with media or a valid credential."""
    max_sources: Annotated[int, Meta(ge=100, le=1_000_000)] = 10_000
    """Number of addresses that are remembered; each takes about 1 kB."""
    proxies: list[str] = []
    """Addresses or networks of proxies in front of the server.

    They are believed when they name their client in X-Forwarded-For, and the bounds of one source apply to that client; to a
    proxy that names nobody they do not apply.
    """
    metrics_interval_s: Annotated[float, Meta(ge=0, le=60)] = 1.0
    """Least seconds between two computations of ``/metrics``; an earlier request waits for the next one."""


class Ping(Struct, frozen=True, forbid_unknown_fields=True):
    """WebSocket keep-alive. Exotel's answer to pings is undocumented: hence the generous timeout."""

    interval_s: Seconds = 20.0
    timeout_s: Seconds = 60.0


class Auth(Struct, frozen=True, forbid_unknown_fields=True):
    """Authentication of streams. ``credential`` is a file name in $CREDENTIALS_DIRECTORY, or an absolute path."""

    required: bool = False
    credential: str = "stream-credentials"
    least_length: Annotated[int, Meta(ge=1, le=256)] = 6
    """Least characters of a token. The server does not start with a shorter one, and warns of one with less than 16."""


class Log(Struct, frozen=True, forbid_unknown_fields=True):
    """``media_first`` frames of a stream are logged, then each ``media_every``-th (0: none)."""

    level: LogLevel = "info"
    format: LogFormat = "auto"
    media_first: Annotated[int, Meta(ge=0)] = 5
    media_every: Annotated[int, Meta(ge=0)] = 500
    stranger_lines_s: Annotated[float, Meta(gt=0, le=10_000)] = 1.0
    """Lines a second about connections that have not proven to be a call; at this rate a worker writes 70 MB a day."""
    stranger_burst: Annotated[int, Meta(ge=10)] = 1000
    """Such lines at once; a fifth of that from one source. High enough that all that an operator tries by hand is logged."""
    call_lines_s: Annotated[float, Meta(gt=0, le=10_000)] = 20.0
    """Lines a second of one proven call, 1,000 at once; 15 times that for all calls of a worker together."""


class Drain(Struct, frozen=True, forbid_unknown_fields=True):
    """``timeout_s`` bounds the wait for live calls; ``grace_s`` is left to handshakes in flight."""

    timeout_s: Seconds = 3660.0
    grace_s: Annotated[float, Meta(ge=0, le=86_400)] = 2.0


class Output(Struct, frozen=True, forbid_unknown_fields=True):
    """``number_frames`` adds sequence_number, chunk and timestamp to outgoing media."""

    number_frames: bool = False


class Passthru(Struct, frozen=True, forbid_unknown_fields=True):
    """Exotel's Passthru applet behind the Voicebot. ``unknown``: what follows a call of which no worker knows anything."""

    unknown: Literal["transfer", "end"] = "end"


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be set. ``paths`` are the URL paths that are answered; none named: any.

    ``/metrics`` and ``/ready`` answer to loopback and to ``metrics_sources`` (addresses or networks); ``open_metrics``: to all.
    ``proxy_protocol``: connections of `Limits.proxies` begin with the PROXY protocol, version 2, which names their client.
    """

    mode: ModeName = "echo"
    engine: EngineName = "picows"
    host: str = "0.0.0.0"
    port: Port = 8765
    public_url: str = ""
    paths: list[str] = []
    metrics_sources: list[str] = []
    open_metrics: bool = False
    proxy_protocol: bool = False
    limits: Limits = Limits()
    ping: Ping = Ping()
    auth: Auth = Auth()
    log: Log = Log()
    drain: Drain = Drain()
    output: Output = Output()
    passthru: Passthru = Passthru()
    ai: dict[str, Any] = {}
    """Table of the mode `ai`, as TOML gives it: `check` judges it by the type that the mode brings."""


def load(path: Path) -> Settings:
    """Read and check a settings file. Raises `SettingsError` that names the file, the key and the cure.

    Files that it names by a relative path are beside it.
    """
    raw = read(path)
    try:
        check(raw)
        return check({**raw, **_beside(path.parent, raw)})
    except SettingsError as error:
        raise SettingsError([f"{path}: {problem}" for problem in error.problems]) from None


def read(path: Path) -> dict[str, Any]:
    """Return what a TOML file says. Raises `SettingsError` that names the file and the fault."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError([f"{path}: can't be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise SettingsError([f"{path}: not UTF-8: {error}"]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{path}: not TOML: {error}"]) from None


def check(raw: dict[str, Any]) -> Settings:
    """Make settings of a plain mapping, as TOML gives it. Raises `SettingsError`, with every unknown key at once."""
    tables = {name: spec.table for name, spec in _specs(raw).items() if spec.table is not None}
    problems = unknown_keys(Settings, raw, "", tables)
    if problems:
        raise SettingsError(problems)
    chosen = converted(raw, Settings, "")
    for name, table in tables.items():
        converted(raw[name], table, f"{name}.")
    if chosen.proxy_protocol and not chosen.limits.proxies:
        raise SettingsError(["proxy_protocol: true, but limits.proxies names no proxy that may speak it: name it there"])
    return chosen


def _specs(raw: dict[str, Any]) -> "dict[str, ModeSpec]":
    """Return the specs of the modes that have a table in ``raw``; load no other mode."""
    return {name: modes.find(name) for name in get_args(ModeName) if raw.get(name)}


def converted(raw: object, struct: type[AStruct], where: str) -> AStruct:
    """Make a struct of plain values; ``where`` names their place. Raises `SettingsError` for a value that it does not take."""
    try:
        return msgspec.convert(raw, struct)
    except msgspec.ValidationError as error:
        text, _, at = str(error).partition(" - at `$.")
        raise SettingsError([f"{(where + at.rstrip('`')).rstrip('.') or 'settings'}: {text}"]) from None


def _beside(directory: Path, raw: dict[str, Any]) -> dict[str, Any]:
    """Return the modes' tables of ``raw``, with the files that they name beside ``directory``."""
    tables = {}
    for name, spec in _specs(raw).items():
        tables[name] = raw[name]
        for key in spec.files:
            tables[name] = _placed(directory, tables[name], key.split("."))
    return tables


def _placed(directory: Path, table: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    """Return ``table`` with the file beside ``directory`` that ``keys`` lead to; ``*`` is each key."""
    first, *rest = keys
    names = [name for name in (table if first == "*" else [first]) if table.get(name)]
    return table | {name: _placed(directory, table[name], rest) if rest else str(directory / table[name]) for name in names}


def unknown_keys(struct: type[Struct], raw: dict[str, Any], where: str, tables: Mapping[str, type[Struct]] = {}) -> list[str]:
    """Return each key that ``struct`` and the structs within do not know, with a suggestion, as a sentence.

    ``where`` names the place of ``raw``; ``tables`` are types of fields that ``struct`` leaves open.
    """
    fields = {field.name: tables.get(field.name, field.type) for field in msgspec.structs.fields(struct)}
    problems = []
    for key, value in raw.items():
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
            cure = f'did you mean "{near[0]}"?' if near else f"known: {', '.join(fields)}"
            problems.append(f'{where}unknown key "{key}" ({cure})')
        elif isinstance(value, dict):
            kind = fields[key]
            inner = {key: value} if _is_struct(kind) else {}
            if get_origin(kind) is dict and _is_struct(kind := get_args(kind)[1]):
                inner = {f"{key}: {name}": table for name, table in value.items() if isinstance(table, dict)}
            for name, table in inner.items():
                problems += unknown_keys(kind, table, f"{where}{name}: ")
    return problems


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)
