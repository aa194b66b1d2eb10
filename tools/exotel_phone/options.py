"""Options of the verbs that play Exotel: one class a verb, made by the command line and handed to the verb whole.

A field is an option, or an argument if it has no default; its annotation holds how it is typed and what ``--help`` says of it.
This module loads nothing that a verb needs, so that the command line starts fast.
"""

import dataclasses
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

Url = Annotated[str, Argument(metavar="URL", help="ws://HOST:PORT?sample-rate=8000, wss://user:token@HOST/path")]
Json = Annotated[bool, Option("--json", help="One JSON object instead of text.")]
Credential = Annotated[
    Path | None, Option(metavar="FILE", help="File with a line user:token; keeps the token off the command line.")
]
CallId = Annotated[str, Option("--call", metavar="SID", help="One call: its call_sid, stream_sid or conn_id.")]
Force = Annotated[bool, Option("--force", help="Overwrite a file that exists.")]
Inventory = Annotated[Path | None, Option(metavar="PATH", help="Ansible's: traffic may be sent to its hosts.")]
AsExotel = Annotated[bool, Option("--as-exotel", help="Strip the URL's query, deliver it as custom parameters, as Exotel does.")]
Rate = Annotated[int | None, Option(metavar="HZ", help="8000, 16000 or 24000; default: the URL's.")]
Own = Annotated[bool, Option("--i-own-this-server", help="Send traffic to a server that is neither here nor in the inventory.")]


@dataclasses.dataclass(frozen=True, slots=True)
class ProtocolTestOptions:
    """Options of ``exotelctl protocol-test``; ``timeout`` in seconds."""

    url: Url
    all_rates: Annotated[bool, Option("--all-rates", help="At 8000, 16000 and 24000 Hz, not only the URL's.")] = False
    timeout: Annotated[float, Option(metavar="SECONDS", help="Longest wait for one answer.")] = 2.0
    credential_file: Credential = None
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class CallOptions:
    """Options of ``exotelctl call``; ``rate`` in Hz."""

    url: Url
    wav: Annotated[Path | None, Option(metavar="FILE", help="What to send: mono 16-bit PCM WAV.")] = None
    out: Annotated[Path | None, Option(metavar="FILE", help="Write what came back to this WAV file.")] = None
    rate: Rate = None
    seconds: Annotated[float, Option(metavar="SECONDS", help="Length of the generated signal, without --wav.")] = 2.0
    as_exotel: AsExotel = False
    credential_file: Credential = None
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class TalkOptions:
    """Options of ``exotelctl talk``; ``barge_in_after`` in ms, ``rate`` in Hz; `exotel_phone.talk.script` reads ``turns``."""

    url: Url
    turns: Annotated[
        list[str], Argument(metavar="TURN...", help='"words to say", dtmf:KEYS to press, file:WAV to play (mono 16-bit PCM).')
    ]
    barge_in_after: Annotated[
        int | None, Option(metavar="MS", help="Say each next turn over the bot, so long after its answer began.")
    ] = None
    voice: Annotated[str, Option(metavar="NAME", help="Speaks: embedded, flite or espeak-ng; default: the first.")] = ""
    chart: Annotated[Path | None, Option(metavar="FILE", help="Draw the call to this PNG file.")] = None
    out: Annotated[Path | None, Option(metavar="FILE", help="Write what the caller heard to this WAV file.")] = None
    rate: Rate = None
    as_exotel: AsExotel = False
    credential_file: Credential = None
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class LoadOptions:
    """Options of ``exotelctl load``; ``ramp``, ``seconds`` and ``hold`` in seconds, ``rate`` in Hz."""

    url: Url
    calls: Annotated[int, Option(metavar="N", help="Calls at the same time, at most 5000.")] = 10
    ramp: Annotated[float, Option(metavar="SECONDS", help="Place them evenly over so long.")] = 2.0
    seconds: Annotated[float, Option(metavar="SECONDS", help="Length of the whole load, at most 3600.")] = 10.0
    hold: Annotated[
        float | None, Option(metavar="SECONDS", help="End each call after so long and place a new one; default: none ends.")
    ] = None
    rate: Rate = None
    wav: Annotated[Path | None, Option(metavar="FILE", help="What to say, over and over: mono 16-bit PCM WAV.")] = None
    report: Annotated[Path | None, Option(metavar="FILE", help="Write an HTML report, with latency over time.")] = None
    force: Force = False
    as_exotel: AsExotel = False
    credential_file: Credential = None
    inventory: Inventory = None
    i_own_this_server: Own = False
    max_processes: Annotated[
        int | None, Option(min=1, max=64, metavar="N", help="Default: one for each 300 calls, at most one a core.")
    ] = None
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Options of ``exotelctl replay``."""

    file: Annotated[Path, Argument(metavar="FILE", help="A capture.")]
    url: Url
    speed: Annotated[float, Option(metavar="FACTOR", help="2 is twice as fast as it was, 0 as fast as the server takes it.")] = (
        1.0
    )
    call: CallId = ""
    out: Annotated[Path | None, Option(metavar="FILE", help="Record this run, as a capture.")] = None
    force: Force = False
    i_own_this_server: Own = False
    inventory: Inventory = None
    credential_file: Credential = None
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class DiffOptions:
    """Options of ``exotelctl diff``."""

    a: Annotated[Path, Argument(metavar="A", help="A capture.")]
    b: Annotated[Path, Argument(metavar="B", help="Another.")]
    call: CallId = ""
    json: Json = False
