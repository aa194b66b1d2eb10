"""Options of the verbs that play Exotel: one class a verb, made by the command line and handed to the verb whole.

The docstring is the verb's ``--help``. A field is an option, or an argument if it has no default; its annotation holds how it is
typed and what ``--help`` says of it.
This module loads nothing that a verb needs, so that the command line starts fast.
"""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

Url = Annotated[str, Argument(metavar="URL", help="ws://HOST:PORT?sample-rate=8000, wss://user:token@HOST/path")]
Json = Annotated[bool, Option("--json", help="One JSON object instead of text.")]
Credential = Annotated[
    Path | None, Option(metavar="FILE", help="File with a line user:token; keeps the token off the command line.")
]
CaFile = Annotated[
    Path | None, Option(metavar="FILE", help="With wss://: trust the CAs of this PEM file, in place of this machine's.")
]
CallId = Annotated[str, Option("--call", metavar="SID", help="One call: its call_sid, stream_sid or conn_id.")]
Force = Annotated[bool, Option("--force", help="Overwrite a file that exists.")]
Inventory = Annotated[Path | None, Option(metavar="PATH", help="Ansible's: traffic may be sent to its hosts.")]
AsExotel = Annotated[bool, Option("--as-exotel", help="Strip the URL's query, deliver it as custom parameters, as Exotel does.")]
Rate = Annotated[int | None, Option(metavar="HZ", help="8000, 16000 or 24000; default: the URL's.")]
Encoded = Annotated[
    Literal["pcm", "mulaw", "alaw"],
    Option("--encoding", metavar="NAME", help="Of the line: pcm (Exotel's), mulaw or alaw."),
]
Own = Annotated[bool, Option("--i-own-this-server", help="Send traffic to a server that is neither here nor in the inventory.")]


@dataclasses.dataclass(frozen=True, slots=True)
class ProtocolTestOptions:
    """Is a server fit for Exotel?

    One PASS or FAIL line a check, totals, an exit code. Where /health says mode ai, a bot is expected, else an echo.

    \b
    Example:
      exotelctl protocol-test 'ws://127.0.0.1:8765?sample-rate=8000'
    """

    url: Url
    all_rates: Annotated[bool, Option("--all-rates", help="At 8000, 16000 and 24000 Hz, not only the URL's.")] = False
    timeout: Annotated[float, Option(metavar="SECONDS", help="Longest wait for one answer.")] = 2.0
    credential_file: Credential = None
    ca_file: CaFile = None
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class CallOptions:
    """Place a simulated call, measure the echo.

    Paced at 20 ms, exactly as on the wire. Says how late the echo was, and whether it is bit-exact. A server in mode ai does
    not echo: "exotelctl talk" talks to it.

    \b
    Example:
      exotelctl call ws://127.0.0.1:8765 --wav hello.wav --out echo.wav
    """

    url: Url
    wav: Annotated[Path | None, Option(metavar="FILE", help="What to send: mono 16-bit PCM WAV.")] = None
    out: Annotated[Path | None, Option(metavar="FILE", help="Write what came back to this WAV file.")] = None
    rate: Rate = None
    seconds: Annotated[float, Option(metavar="SECONDS", help="Length of the generated signal, without --wav.")] = 2.0
    encoding: Encoded = "pcm"
    as_exotel: AsExotel = False
    credential_file: Credential = None
    ca_file: CaFile = None
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class TalkOptions:
    """Talk to a bot, turn by turn.

    Paced at 20 ms, exactly as on the wire; each turn waits for the end of the bot's answer. Says who said what, how fast the
    bot answered and stopped when interrupted, and which of Exotel's rules it broke.

    \b
    Example:
      exotelctl talk ws://127.0.0.1:8765 "When are you open?" dtmf:1 file:a.wav
    """

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
    encoding: Encoded = "pcm"
    as_exotel: AsExotel = False
    credential_file: Credential = None
    ca_file: CaFile = None
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class LoadOptions:
    """Place many calls at once, check every echo.

    Each is paced at 20 ms as on the wire and ends as Exotel ends it. Ctrl-C ends the calls properly and reports until then.

    A server in mode ai does not echo: it is refused, "exotelctl talk" talks to it.

    Refuses a server that is neither this machine nor a host of --inventory, unless --i-own-this-server.

    \b
    Example:
      exotelctl load ws://127.0.0.1:8765 --calls 50 --seconds 60 --report out.html
    """

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
    ca_file: CaFile = None
    inventory: Inventory = None
    i_own_this_server: Own = False
    max_processes: Annotated[
        int | None, Option(min=1, max=64, metavar="N", help="Default: one for each 300 calls, at most one a core.")
    ] = None
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class ReplayOptions:
    """Play a captured call again.

    What Exotel sent, byte for byte, at its pace; says whether the server answered bit for bit as recorded, or where not.

    \b
    Example:
      exotelctl replay fault.jsonl ws://127.0.0.1:8765
    """

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
    ca_file: CaFile = None
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class DiffOptions:
    """Where do two captured calls part?

    Says nothing and exits 0 for identical ones. A changed pace is told, and is no difference.

    \b
    Example:
      exotelctl diff before.jsonl after.jsonl
    """

    a: Annotated[Path, Argument(metavar="A", help="A capture.")]
    b: Annotated[Path, Argument(metavar="B", help="Another.")]
    call: CallId = ""
    json: Json = False
