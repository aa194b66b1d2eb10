"""Verbs that look at the server on this host and change nothing."""

from pathlib import Path
from typing import Annotated

import typer

from exotelctl.cli.app import CODES, SETTINGS_FILE, Credential, Json, Numbers, Settings, command


@command()
def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again and again in place, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(metavar="SECONDS", help="How often, with --watch.")] = 2.0,
    numbers: Numbers = False,
    settings: Settings = SETTINGS_FILE,
    json: Json = False,
) -> int:
    """What serves, what drains, who is on the line.

    Units and generations, port and owner, workers with memory and CPU, live calls, the last deploy.

    Exits 1 where something is down, has failed or does not answer. Without root it says what it could not see.

    \b
    Example:
      exotelctl status --watch
    """
    from exotelctl.status import verb

    return verb.run(verb.Options(interval if watch else None, numbers, settings, json))


@command()
def logs(
    call: Annotated[str | None, typer.Option(metavar="SID", help="One call: its call_sid, stream_sid or conn_id.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is logged from now on.")] = False,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="-1h, today, '2026-11-25 10:00 +0530', @1764060000")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="The same.")] = None,
    errors: Annotated[bool, typer.Option("--errors", help="Warnings and worse only, not those of our own test calls.")] = False,
    ours: Annotated[bool, typer.Option("--test-calls", help="With --errors: those of our own test calls too.")] = False,
    event: Annotated[list[str] | None, typer.Option(metavar="NAME", help="start, refused, close …; may be repeated.")] = None,
    lines: Annotated[
        int | None,
        typer.Option("--lines", "-n", metavar="N", min=1, help="The last so many; default 50 without --call and --since."),
    ] = None,
    merge: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Merge what hosts answered with --json; may be repeated, - is standard input."),
    ] = None,
    numbers: Numbers = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, the first about the journal.")] = False,
) -> int:
    """One call's story, or the last lines.

    With --call all lines of the call, across workers and generations, those from before its start too.

    Says since when the journal reaches back where something may be missing; exits 1 for a call that it does not know.

    \b
    Example:
      exotelctl logs --call 8b0de6af53bcfdd29e5cb990936df94r
    """
    from exotelctl.logs import verb
    from exotelctl.logs.question import ask

    question = ask(call=call, since=since, until=until, errors=errors, events=event or (), lines=lines, follow=follow, ours=ours)
    return verb.run(verb.Options(question, tuple(merge or ()), numbers, json))


DOCTOR_CODES = (
    "Exit codes: 0 all ok (or nothing to judge), 1 something failed, 2 wrong usage, 3 refused (nothing was looked at), "
    "4 at worst a warning, 5 at worst an unknown: what could not be looked at never counts as ok."
)


@command(epilog=DOCTOR_CODES)
def doctor(
    check: Annotated[list[str] | None, typer.Option(metavar="ID", help="Show this check only; may be repeated.")] = None,
    since: Annotated[
        str, typer.Option(metavar="TIME", help="Calls to judge: -1h, '2026-11-25 10:00 +0530', @1764060000")
    ] = "-1h",
    bundle: Annotated[Path | None, typer.Option(metavar="FILE", help="Save what was seen as a tar, secrets left out.")] = None,
    replay: Annotated[Path | None, typer.Option(metavar="FILE", help="Judge a saved bundle, on any machine.")] = None,
    outside: Annotated[
        str | None, typer.Option(metavar="URL", help="With --replay: look at the public address from here too, and call it.")
    ] = None,
    cloud: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --replay: what gcp_effective_firewall_info said of Google Cloud, as JSON."),
    ] = None,
    credential_file: Credential = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also what each check claims, and does not prove.")] = False,
    json: Json = False,
) -> int:
    """What is wrong, why, and what to do.

    Looks at ports, units, firewalls, calls and limits, and places a call of a second on loopback. It changes nothing.

    Consequences of a cause that was found are shown as blocked by it. What could not be looked at is unknown, and says why.

    \b
    Example:
      exotelctl doctor --since -2h
    """
    from exotelctl.doctor import verb

    return verb.run(
        verb.Options(
            only=tuple(check or ()),
            since=since,
            bundle=bundle,
            replay=replay,
            outside=outside,
            cloud=cloud,
            credential_file=credential_file,
            verbose=verbose,
            json=json,
        )
    )


@command(epilog=f"{CODES.removesuffix('.')}, 4 nothing is deployed to the host.")
def verify(
    seen: Annotated[Path, typer.Argument(metavar="FILES", help="Directory with what the host told of itself.")],
    host: Annotated[str, typer.Option(metavar="NAME", help="Name or address to call.")],
    rate: Annotated[int, typer.Option(metavar="HZ", help="8000, 16000 or 24000.")] = 8000,
    seconds: Annotated[float, typer.Option(metavar="SECONDS", help="Length of the call.")] = 2.0,
    name: Annotated[str, typer.Option(metavar="NAME", help="What the verdict calls the host; default: --host.")] = "",
    json: Json = False,
) -> int:
    """Prove that a host takes calls.

    Judges what the host saw of itself, carries out the protocol test and places a call. Tells what was proven, up to the first
    step that fails: what comes after that follows from it. ansible-playbook verify.yml types it.

    \b
    Example:
      exotelctl verify /tmp/what-the-host-told --host voicebot-1.example
    """
    from exotelctl.verify import verb

    return verb.run(verb.Options(seen=seen, host=host, rate=rate, seconds=seconds, name=name, json=json))
