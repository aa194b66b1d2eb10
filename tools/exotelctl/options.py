"""Options of the verbs that look at a host or change it, as `exotel_phone.options` does for those that play Exotel."""

import dataclasses
from pathlib import Path
from typing import Annotated, Final, Literal

from exotel_phone.options import CallId, Credential, Force, Json
from typer import Argument, Option

SETTINGS_FILE: Final = Path("/etc/exotel-ws/current/settings.toml")

# readable: host_settings tells a user who may not read settings.toml what to do.
Settings = Annotated[Path, Option(metavar="FILE", readable=False, help="The server's settings on this host.")]
Yes = Annotated[bool, Option("--yes", help="Act without asking.")]
Numbers = Annotated[bool, Option("--numbers", help="Callers' numbers in full; they are masked otherwise.")]


@dataclasses.dataclass(frozen=True, slots=True)
class HealthOptions:
    """Options of ``exotelctl health``; ``timeout`` in seconds."""

    url: Annotated[str | None, Argument(metavar="[URL]", help="Default: the server on this host.")] = None
    settings: Settings = SETTINGS_FILE
    timeout: Annotated[float, Option(metavar="SECONDS", help="Longest wait for one answer.")] = 5.0
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class UrlOptions:
    """Options of ``exotelctl url``; ``rate`` in Hz."""

    host: Annotated[str | None, Option(metavar="HOST", help="Public name or address; default: public_url of the settings.")] = (
        None
    )
    port: Annotated[int | None, Option(metavar="PORT", min=1, max=65535, help="Default: the settings', else 8765.")] = None
    rate: Annotated[int, Option(metavar="HZ", help="8000, 16000 or 24000.")] = 8000
    settings: Settings = SETTINGS_FILE
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class StatusOptions:
    """Options of ``exotelctl status``; ``interval`` in seconds."""

    watch: Annotated[bool, Option("--watch", "-w", help="Show it again and again in place, until Ctrl-C.")] = False
    interval: Annotated[float, Option(metavar="SECONDS", help="How often, with --watch.")] = 2.0
    numbers: Numbers = False
    settings: Settings = SETTINGS_FILE
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class LogsOptions:
    """Options of ``exotelctl logs``; `exotelctl.logs.question` reads them."""

    call: Annotated[str | None, Option(metavar="SID", help="One call: its call_sid, stream_sid or conn_id.")] = None
    follow: Annotated[bool, Option("--follow", "-f", help="Go on with what is logged from now on.")] = False
    since: Annotated[str | None, Option(metavar="TIME", help="-1h, today, '2026-11-25 10:00 +0530', @1764060000")] = None
    until: Annotated[str | None, Option(metavar="TIME", help="The same.")] = None
    errors: Annotated[bool, Option("--errors", help="Warnings and worse only, not those of our own test calls.")] = False
    ours: Annotated[bool, Option("--test-calls", help="With --errors: those of our own test calls too.")] = False
    event: Annotated[list[str] | None, Option(metavar="NAME", help="start, refused, close …; may be repeated.")] = None
    lines: Annotated[
        int | None,
        Option("--lines", "-n", metavar="N", min=1, help="The last so many; default 50 without --call and --since."),
    ] = None
    merge: Annotated[
        list[Path] | None,
        Option(metavar="FILE", help="Merge what hosts answered with --json; may be repeated, - is standard input."),
    ] = None
    numbers: Numbers = False
    json: Annotated[bool, Option("--json", help="One JSON object a line, the first about the journal.")] = False


@dataclasses.dataclass(frozen=True, slots=True)
class DoctorOptions:
    """Options of ``exotelctl doctor``."""

    check: Annotated[list[str] | None, Option(metavar="ID", help="Show this check only; may be repeated.")] = None
    since: Annotated[str, Option(metavar="TIME", help="Calls to judge: -1h, '2026-11-25 10:00 +0530', @1764060000")] = "-1h"
    bundle: Annotated[Path | None, Option(metavar="FILE", help="Save what was seen as a tar, secrets left out.")] = None
    replay: Annotated[Path | None, Option(metavar="FILE", help="Judge a saved bundle, on any machine.")] = None
    outside: Annotated[
        str | None, Option(metavar="URL", help="With --replay: look at the public address from here too, and call it.")
    ] = None
    cloud: Annotated[
        Path | None,
        Option(metavar="FILE", help="With --replay: what gcp_effective_firewall_info said of Google Cloud, as JSON."),
    ] = None
    credential_file: Credential = None
    verbose: Annotated[bool, Option("--verbose", "-v", help="Also what each check claims, and does not prove.")] = False
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class VerifyOptions:
    """Options of ``exotelctl verify``; ``rate`` in Hz."""

    seen: Annotated[Path, Argument(metavar="FILES", help="Directory with what the host told of itself.")]
    host: Annotated[str, Option(metavar="NAME", help="Name or address to call.")]
    rate: Annotated[int, Option(metavar="HZ", help="8000, 16000 or 24000.")] = 8000
    seconds: Annotated[float, Option(metavar="SECONDS", help="Length of the call.")] = 2.0
    name: Annotated[str, Option(metavar="NAME", help="What the verdict calls the host; default: --host.")] = ""
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class TraceOptions:
    """Options of ``exotelctl trace``; ``at`` in seconds."""

    file: Annotated[Path | None, Argument(metavar="[FILE]", help="A saved capture; default: the live calls of this host.")] = None
    call: CallId = ""
    number: Annotated[str, Option(metavar="NUMBER", help="Only calls from or to this number, or one that ends so.")] = ""
    numbers: Numbers = False
    at: Annotated[float | None, Option(metavar="SECONDS", help="Open the call at this time since it began.")] = None
    audio: Annotated[bool, Option("--audio", help="Live: take the audio too, to look at its level and to save it.")] = False
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class CaptureOptions:
    """Options of ``exotelctl capture``; `exotelctl.capture.verb` reads ``max_bytes``."""

    call: CallId = ""
    number: Annotated[str, Option(metavar="NUMBER", help="The call from or to this number, or one that ends so.")] = ""
    next: Annotated[int, Option("--next", metavar="N", min=0, show_default=False, help="The next N calls that start.")] = 0
    all: Annotated[bool, Option("--all", help="Every call, until it is stopped.")] = False
    out: Annotated[Path | None, Option(metavar="FILE", help="Default: capture-TIME.jsonl here.")] = None
    max_bytes: Annotated[str, Option(metavar="SIZE", help="Stop when the file is this large.")] = "50M"
    seconds: Annotated[float | None, Option(metavar="SECONDS", help="Stop after this time; default 3600, with --packets 30.")] = (
        None
    )
    audio: Annotated[str, Option(metavar="HOW", help="keep, noise (speech-shaped, same length) or omit.")] = "keep"
    mask: Annotated[bool, Option("--mask", help="Overwrite numbers and keys pressed.")] = False
    keep_parameters: Annotated[bool, Option("--keep-parameters", help="Keep custom parameters, which are overwritten else.")] = (
        False
    )
    packets: Annotated[bool, Option("--packets", help="Packet headers of the port by tcpdump, not messages.")] = False
    count: Annotated[int, Option(metavar="N", min=1, help="With --packets: stop after so many.")] = 1000
    force: Force = False
    settings: Settings = SETTINGS_FILE
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class PortCleanOptions:
    """Options of ``exotelctl port-clean``; ``timeout`` in seconds."""

    port: Annotated[
        list[int] | None,
        Option(metavar="PORT", min=1, max=65535, help="TCP port to free; may be repeated. [default: 8765]"),
    ] = None
    yes: Yes = False
    dry_run: Annotated[bool, Option("--dry-run", help="Print the plan, do nothing, exit 0.")] = False
    force: Annotated[bool, Option("--force", help="Also end a process that a service manager looks after.")] = False
    thorough: Annotated[
        bool, Option("--thorough", help="Look at every process, also where our own units explain who holds the port.")
    ] = False
    timeout: Annotated[float, Option(metavar="SECONDS", help="Wait after SIGTERM, and again after SIGKILL.")] = 10.0
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class RestartOptions:
    """Options of ``exotelctl restart``."""

    yes: Yes = False
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class ResetOptions:
    """Options of ``exotelctl reset``; ``drain`` in seconds."""

    yes: Yes = False
    dry_run: Annotated[bool, Option("--dry-run", help="Print the plan, do nothing; exit 0, or 3 where it would be refused.")] = (
        False
    )
    drain: Annotated[float, Option(metavar="SECONDS", help="Let live calls end for so long before the rest is cut.")] = 0.0
    port: Annotated[
        list[int] | None,
        Option(metavar="PORT", min=1, max=65535, help="Clear this port too, besides the call port; may be repeated."),
    ] = None
    requested_by: Annotated[str, Option(metavar="WHO", help="For the audit file; default: you.")] = ""
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class MaintenanceOptions:
    """Options of ``exotelctl maintenance``."""

    state: Annotated[Literal["on", "off"], Argument(metavar="on|off", help="Out of service, or back into it.")]
    reason: Annotated[str, Option(metavar="TEXT", help="For whoever looks at the host meanwhile.")] = ""
    cut: Annotated[bool, Option("--cut", help="Close live calls now, with 1001, instead of letting them end.")] = False
    yes: Yes = False
    json: Json = False
