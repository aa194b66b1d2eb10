"""The workers of this host, asked through their admin sockets (``/run/exotel-ws/<instance>.sock``, HTTP)."""

import dataclasses
import socket
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from ansible_collections.exotel.voicebot.plugins.module_utils import instance
from exotel_phone.exits import Refusal

from exotelctl import privileges

RUNTIME: Final = Path("/run/exotel-ws")


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A live call as its worker tells of it. Ages in seconds; ``last_event_age_s`` None where the worker does not say.

    In AI mode ``state`` is what the bot does (else ""), ``turns`` how often it understood something, ``voice_to_voice_ms`` how
    long the caller waited for the last answer (None: there was none). ``own``: a simulated call of this tool.
    """

    call_sid: str
    stream_sid: str
    conn_id: str
    caller: str
    called: str
    age_s: float
    frames_in: int
    frames_out: int
    last_event: str
    last_event_age_s: float | None
    state: str = ""
    turns: int = 0
    voice_to_voice_ms: float | None = None
    own: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """Answer of a worker about itself. ``unlisted`` counts live calls that did not fit into ``calls``.

    ``calls_total`` counts its calls since ``since`` (Unix seconds, 0 where it does not tell).
    """

    state: str
    release: str
    calls_total: int
    connections: int
    calls: tuple[Call, ...]
    unlisted: int = 0
    since: float = 0.0

    @property
    def calls_live(self) -> int:
        """Return the number of live calls, listed or not."""
        return len(self.calls) + self.unlisted


class Silent(Exception):
    """The worker gave no usable answer; the text says what came instead."""


def sockets(runtime: Path = RUNTIME) -> dict[str, Path]:
    """Return the admin sockets by instance, ``<generation>-<n>``; none before a deploy. Raises Refusal without rights."""
    try:
        return {path.stem: path for path in sorted(runtime.iterdir()) if path.suffix == ".sock"}
    except FileNotFoundError:
        return {}
    except PermissionError:
        cure = privileges.cure("CAP_DAC_READ_SEARCH")
        raise Refusal(f"{runtime} may be read by root only{f': {cure}' if cure else ''}") from None


def is_alive(admin_socket: Path) -> bool:
    """Return True if a process, perhaps a stuck one, listens on the socket; a killed worker leaves only its file behind."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(admin_socket))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True


def ask(admin_socket: Path, path: str) -> dict[str, Any]:
    """GET ``path`` (``/status``, ``/health``) and return the JSON object. Raises Silent after at most 3 s a wait."""
    try:
        return instance.ask(admin_socket, path)
    except instance.Silent as silent:
        raise Silent(f"{admin_socket.name} {silent.why}") from None


def parse_answer(said: Mapping[str, Any]) -> Answer:
    """Return what a worker says at ``/status``; a field that an older release lacks stays empty.

    Raises TypeError, ValueError, AttributeError or ArithmeticError for a field that is not what it should be.
    """
    return Answer(
        state=str(said.get("state", "")),
        release=str(said.get("release", "")),
        calls_total=int(said.get("calls_total", 0)),
        connections=int(said.get("connections", 0)),
        calls=tuple(_call(call) for call in said.get("calls", ())),
        unlisted=int(said.get("calls_unlisted", 0)),
        since=_moment(said.get("since")),
    )


def _call(said: Mapping[str, Any]) -> Call:
    last, answered = said.get("last_event_age_s"), said.get("voice_to_voice_ms")
    return Call(
        call_sid=str(said.get("call_sid", "")),
        stream_sid=str(said.get("stream_sid", "")),
        conn_id=str(said.get("conn_id", "")),
        caller=str(said.get("from", "")),
        called=str(said.get("to", "")),
        age_s=float(said.get("age_s", 0)),
        frames_in=int(said.get("frames_in", 0)),
        frames_out=int(said.get("frames_out", 0)),
        last_event=str(said.get("last_event", "")),
        last_event_age_s=None if last is None else float(last),
        state=str(said.get("state", "")),
        turns=int(said.get("turns", 0)),
        voice_to_voice_ms=None if answered is None else float(answered),
        own=said.get("ours") is True,
    )


def _moment(said: object) -> float:
    try:
        return datetime.fromisoformat(str(said)).timestamp()
    except ValueError:
        return 0.0
