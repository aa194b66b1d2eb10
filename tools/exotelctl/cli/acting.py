"""Verbs that change something on this host. Each says what it is about to do, and to whom, before it does it."""

from typing import Annotated, Literal

import typer

from exotelctl.cli.app import Json, Yes, command


@command("port-clean")
def port_clean(
    port: Annotated[
        list[int] | None,
        typer.Option(metavar="PORT", min=1, max=65535, help="TCP port to free; may be repeated. [default: 8765]"),
    ] = None,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, do nothing, exit 0.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also end a process that a service manager looks after.")] = False,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Look at every process, also where our own units explain who holds the port.")
    ] = False,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Wait after SIGTERM, and again after SIGKILL.")] = 10.0,
    json: Json = False,
) -> int:
    """Free ports from zombies.

    Says who holds each and why, asks, then SIGTERM, a wait, SIGKILL, and proof that the port is free, on IPv4 and IPv6.

    On a terminal it asks, once for all ports. Elsewhere it acts only with --yes; without, it prints the plan and exits 3.
    Each port is judged on its own; the exit code is the highest. --force ends no worker of ours that reports live calls.

    \b
    Example:
      exotelctl port-clean --port 8765 --dry-run
      exotelctl port-clean --port 8765 --port 8009
    """
    from exotelctl.port import verb

    return verb.run(verb.Options(tuple(port or [8765]), yes, dry_run, force, thorough, timeout, json))


@command()
def restart(yes: Yes = False, json: Json = False) -> int:
    """Start what serves anew, without cutting a call.

    The same release, settings, credentials and unit files become a new generation, which is tested, started and proven healthy
    beside the old one and then takes over; the old one finishes its calls. When anything fails the old one goes on serving.
    Waits for no call: it takes a few seconds.

    On a terminal it asks. Elsewhere it acts only with --yes; without, it says what it would do and exits 3.

    \b
    Example:
      exotelctl restart --yes
    """
    from exotelctl import restart as verb

    return verb.run(verb.Options(yes, json))


@command()
def reset(
    yes: Yes = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan, do nothing; exit 0, or 3 where it would be refused.")
    ] = False,
    drain: Annotated[float, typer.Option(metavar="SECONDS", help="Let live calls end for so long before the rest is cut.")] = 0.0,
    port: Annotated[
        list[int] | None,
        typer.Option(metavar="PORT", min=1, max=65535, help="Clear this port too, besides the call port; may be repeated."),
    ] = None,
    requested_by: Annotated[str, typer.Option(metavar="WHO", help="For the audit file; default: you.")] = "",
    json: Json = False,
) -> int:
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
    from exotelctl.reset import verb

    return verb.run(verb.Options(yes, dry_run, drain, tuple(port or ()), requested_by, json))


@command()
def maintenance(
    state: Annotated[Literal["on", "off"], typer.Argument(metavar="on|off", help="Out of service, or back into it.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="For whoever looks at the host meanwhile.")] = "",
    cut: Annotated[bool, typer.Option("--cut", help="Close live calls now, with 1001, instead of letting them end.")] = False,
    yes: Yes = False,
    json: Json = False,
) -> int:
    """Take this host out of service; bring it back.

    With on, new calls are refused and nothing starts at boot; live calls go on to their end. status and doctor say so instead
    of calling it a fault; restart, reset, deploy.yml and rollback.yml refuse to bring the host back unasked. With off, what
    served before serves again.

    \b
    Example:
      exotelctl maintenance on --reason "disk swap until 22:00"
      exotelctl maintenance off
    """
    from exotelctl import maintenance as verb

    return verb.run(verb.Options(state == "on", reason, cut, yes, json))
