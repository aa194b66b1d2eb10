"""The verbs that look at a host or change it, as `exotel_phone.options` has those that play Exotel: help, and options."""

import dataclasses
from pathlib import Path
from typing import Annotated, Final, Literal

from exotel_phone.options import CaFile, CallId, Credential, Force, Json
from typer import Argument, Option

SETTINGS_FILE: Final = Path("/etc/exotel-ws/current/settings.toml")
ACCOUNT_FILE: Final = Path("/etc/exotel-ws/exotel-account.json")
"""Where a deploy with ``exotel_ws_account`` puts it, for root only."""

# readable: host_settings tells a user who may not read settings.toml what to do.
Settings = Annotated[Path, Option(metavar="FILE", readable=False, help="The server's settings on this host.")]
Yes = Annotated[bool, Option("--yes", help="Act without asking.")]
Numbers = Annotated[bool, Option("--numbers", help="Callers' numbers in full; they are masked otherwise.")]


@dataclasses.dataclass(frozen=True, slots=True)
class HealthOptions:
    """Ask /health and /ready.

    Where they do not answer it says why.

    \b
    Example:
      exotelctl health http://203.0.113.10:8765
    """

    url: Annotated[str | None, Argument(metavar="[URL]", help="Default: the server on this host.")] = None
    settings: Settings = SETTINGS_FILE
    timeout: Annotated[float, Option(metavar="SECONDS", help="Longest wait for one answer.")] = 5.0
    json: Json = False
    ca_file: CaFile = None


@dataclasses.dataclass(frozen=True, slots=True)
class UrlOptions:
    """Print the line to paste into Exotel.

    Where streams must show a key it prints USER:TOKEN@ or, for root, the newest key itself: the last of exotel_ws_credentials.
    With --passthru it is the address at which Exotel asks whether a call is transferred, with SECRET or the newest secret.

    \b
    Example:
      exotelctl url --with-key
    """

    host: Annotated[str | None, Option(metavar="HOST", help="Public name or address; default: public_url of the settings.")] = (
        None
    )
    port: Annotated[int | None, Option(metavar="PORT", min=1, max=65535, help="Default: the settings', else 8765.")] = None
    rate: Annotated[int, Option(metavar="HZ", help="8000, 16000 or 24000.")] = 8000
    with_key: Annotated[bool, Option("--with-key", help="With the newest key in it; root only.")] = False
    place: Annotated[
        Literal["header", "path", "query"] | None,
        Option(metavar="PLACE", help="Where the key stands: header (user:token@, default), path, query (custom parameters)."),
    ] = None
    passthru: Annotated[bool, Option("--passthru", help="The line for the Passthru applet instead, behind the Voicebot.")] = False
    settings: Settings = SETTINGS_FILE
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class DialOptions:
    """Call a number, and connect who answers to a bot.

    Asks Exotel's API once, with the account of exotel_ws_account. It rings a person and costs money, so it asks before.

    Exits 1 where Exotel refuses, and with --follow where nobody was reached.

    \b
    Example:
      exotelctl dial --to +919876543210 --bot reminder --follow 120
    """

    to: Annotated[str, Option(metavar="NUMBER", help="+919876543210 or 09876543210.")]
    bot: Annotated[str, Option(metavar="NAME", help="A bot of [ai.bots]; default: the server's own.")] = ""
    stream: Annotated[str, Option(metavar="URL", help="Where the audio goes; default: this host, with its newest key.")] = ""
    credential_file: Credential = None
    limit: Annotated[int, Option(metavar="SECONDS", help="Longest call.")] = 600
    follow: Annotated[int, Option(metavar="SECONDS", min=0, max=3600, help="Wait so long for its end; 0: do not wait.")] = 0
    account: Annotated[Path, Option(metavar="FILE", readable=False, help="The account's file.")] = ACCOUNT_FILE
    settings: Settings = SETTINGS_FILE
    yes: Yes = False
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class KeysOptions:
    """Which keys streams may show, and which were used.

    Tells of each key where calls have shown it, how often and when last, so that an old one can be retired. Never the key.

    Exits 1 where the record of their use is missing or cannot be read.

    \b
    Example:
      exotelctl keys
    """

    settings: Settings = SETTINGS_FILE
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class StatusOptions:
    """What serves, what drains, who is on the line.

    Units and generations, port and owner, workers with memory and CPU, live calls, the last deploy.

    Exits 1 where something is down, has failed or does not answer. Without root it says what it could not see.

    \b
    Example:
      exotelctl status --watch
    """

    watch: Annotated[bool, Option("--watch", "-w", help="Show it again and again in place, until Ctrl-C.")] = False
    interval: Annotated[float, Option(metavar="SECONDS", help="How often, with --watch.")] = 2.0
    numbers: Numbers = False
    settings: Settings = SETTINGS_FILE
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class LogsOptions:
    """One call's story, or the last lines.

    With --call all lines of the call, across workers and generations, those from before its start too.

    Of the edge, HAProxy, it shows refusals and warnings; --edge shows all of its lines.

    Says since when the journal reaches back where something may be missing; exits 1 for a call that it does not know.

    \b
    Example:
      exotelctl logs --call 8b0de6af53bcfdd29e5cb990936df94r
    """

    call: Annotated[str | None, Option(metavar="SID", help="One call: its call_sid, stream_sid or conn_id.")] = None
    follow: Annotated[bool, Option("--follow", "-f", help="Go on with what is logged from now on.")] = False
    since: Annotated[str | None, Option(metavar="TIME", help="-1h, today, '2026-11-25 10:00 +0530', @1764060000")] = None
    until: Annotated[str | None, Option(metavar="TIME", help="The same.")] = None
    errors: Annotated[bool, Option("--errors", help="Warnings and worse only, not those of our own test calls.")] = False
    ours: Annotated[bool, Option("--test-calls", help="With --errors: those of our own test calls too.")] = False
    edge: Annotated[bool, Option("--edge", help="The edge's lines only, all of them: one a connection.")] = False
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
class EdgeOptions:
    """Show what HAProxy in front of the server does.

    Names, certificate and its days, connections, old workers, and the sources that its limits keep out. With admit ADDRESS it
    forgets what it counts against one, so that calls from there get in again at once; nothing else changes, and no call is cut.

    Exits 1 where something is wrong with it, 3 without root or on a host that has no edge.

    \b
    Example:
      exotelctl edge
      exotelctl edge admit 203.0.113.9
    """

    action: Annotated[Literal["admit"] | None, Argument(metavar="[admit]", help="Let a source in.", show_default=False)] = None
    address: Annotated[str | None, Argument(metavar="[ADDRESS]", help="Its address, as exotelctl edge shows it.")] = None
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class DoctorOptions:
    """What is wrong, why, and what to do.

    Looks at ports, units, firewalls, calls and limits, and places a call of a second on loopback. It changes nothing.

    Consequences of a cause that was found are shown as blocked by it. What could not be looked at is unknown, and says why.

    \b
    Example:
      exotelctl doctor --since -2h
    """

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
    ca_file: CaFile = None
    verbose: Annotated[bool, Option("--verbose", "-v", help="Also what each check claims, and does not prove.")] = False
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class VerifyOptions:
    """Prove that a host takes calls.

    Judges what the host saw of itself, carries out the protocol test and places a call. Tells what was proven, up to the first
    step that fails: what comes after that follows from it. ansible-playbook playbooks/verify.yml types it.

    \b
    Example:
      exotelctl verify /tmp/what-the-host-told --host voicebot-1.example
    """

    seen: Annotated[Path, Argument(metavar="FILES", help="Directory with what the host told of itself.")]
    host: Annotated[str, Option(metavar="NAME", help="Name or address to call.")]
    rate: Annotated[int, Option(metavar="HZ", help="8000, 16000 or 24000.")] = 8000
    seconds: Annotated[float, Option(metavar="SECONDS", help="Length of the call.")] = 2.0
    name: Annotated[str, Option(metavar="NAME", help="What the verdict calls the host; default: --host.")] = ""
    host_ca: Annotated[
        bool, Option("--host-ca", help="Trust the certificate that the host told, if no public CA vouches for it.")
    ] = False
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class TraceOptions:
    """Watch calls as ladders, message by message.

    Live calls on a terminal, or a saved capture; into a pipe a capture is printed as text. Keys are shown by ?.

    \b
    Example:
      exotelctl trace fault.jsonl --call a950c8dabf743862 --at 31.4
    """

    file: Annotated[Path | None, Argument(metavar="[FILE]", help="A saved capture; default: the live calls of this host.")] = None
    call: CallId = ""
    number: Annotated[str, Option(metavar="NUMBER", help="Only calls from or to this number, or one that ends so.")] = ""
    numbers: Numbers = False
    at: Annotated[float | None, Option(metavar="SECONDS", help="Open the call at this time since it began.")] = None
    audio: Annotated[bool, Option("--audio", help="Live: take the audio too, to look at its level and to save it.")] = False
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class CaptureOptions:
    """Record live calls, message by message.

    Taken in the workers, without slowing a call; what is no field of the protocol is overwritten. Stops by itself; exits 1 where
    something is missing.

    \b
    Example:
      exotelctl capture --next 1 --out fault.jsonl
    """

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
    """Free ports from zombies.

    Says who holds each and why, asks, then SIGTERM, a wait, SIGKILL, and proof that the port is free, on IPv4 and IPv6.

    On a terminal it asks, once for all ports. Elsewhere it acts only with --yes; without, it prints the plan and exits 3.
    Each port is judged on its own; the exit code is the highest. --force ends no worker of ours that reports live calls.

    \b
    Example:
      exotelctl port-clean --port 8765 --dry-run
      exotelctl port-clean --port 8765 --port 8009
    """

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
    """Start what serves again, without cutting a call.

    The same release, settings, credentials and unit files become a new generation, which is tested, started and proven healthy
    beside the old one and then takes over; the old one finishes its calls. When anything fails the old one goes on serving.
    Waits for no call: it takes a few seconds.

    On a terminal it asks. Elsewhere it acts only with --yes; without, it says what it would do and exits 3.

    \b
    Example:
      exotelctl restart --yes
    """

    yes: Yes = False
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class ResetOptions:
    """End everything, clear the port, start again: the last resort. It cuts live calls.

    Says how many calls of which generations it cuts, and who else is on the port and is ended. Then it stops the socket and
    all generations, clears the port, proves by binding it that nothing listens, starts the current generation again, and
    verifies it by a protocol test and a call. To change nothing for callers use restart instead.

    On a terminal it asks. Elsewhere it acts only with --yes; without, it prints the plan and exits 3. Interrupted or failed,
    it says what state the host is in and which command brings it back; it may be run again.

    \b
    Example:
      exotelctl reset --drain 60
    """

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
    """Take this host out of service; bring it back.

    With on, new calls are refused and nothing starts at boot; live calls go on to their end. status and doctor say so instead
    of calling it a fault; restart, reset, deploy.yml and rollback.yml refuse to bring the host back unasked. With off, what
    served before serves again.

    \b
    Example:
      exotelctl maintenance on --reason "disk swap until 22:00"
      exotelctl maintenance off
    """

    state: Annotated[Literal["on", "off"], Argument(metavar="on|off", help="Out of service, or back into it.")]
    reason: Annotated[str, Option(metavar="TEXT", help="For whoever looks at the host meanwhile.")] = ""
    cut: Annotated[bool, Option("--cut", help="Close live calls now, with 1001, instead of letting them end.")] = False
    yes: Yes = False
    json: Json = False


@dataclasses.dataclass(frozen=True, slots=True)
class CompletionOptions:
    """Print the script that completes with TAB.

    A host that was deployed to has it for bash already (where the package bash-completion is installed).

    \b
    Example:
      exotelctl completion bash > ~/.local/share/bash-completion/completions/exotelctl
      exotelctl completion zsh > "${fpath[1]}/_exotelctl"
      exotelctl completion fish > ~/.config/fish/completions/exotelctl.fish
    """

    shell: Annotated[Literal["bash", "zsh", "fish"], Argument(metavar="SHELL", help="bash, zsh or fish.")]
