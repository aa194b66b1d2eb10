"""Verbs that look at the server on this host and change nothing."""

from pathlib import Path
from typing import Annotated

import typer

from exotelctl.cli.app import CODES, SETTINGS_FILE, Json, Settings, answering, app

Numbers = Annotated[bool, typer.Option("--numbers", help="Callers' numbers in full; they are masked otherwise.")]


@app.command(epilog=CODES)
def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it again and again in place, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(metavar="SECONDS", help="How often, with --watch.")] = 2.0,
    numbers: Numbers = False,
    settings: Settings = SETTINGS_FILE,
    json: Json = False,
) -> None:
    """What serves, what drains, who is on the line.

    Units and generations, port and owner, workers with memory and CPU, live calls, the last deploy.

    Exits 1 where something is down, has failed or does not answer. Without root it says what it could not see.

    \b
    Example:
      exotelctl status --watch
    """
    from exotelctl.status import verb

    with answering():
        code = verb.run(watch_s=interval if watch else None, numbers=numbers, settings=settings, json=json)
    raise typer.Exit(code)


@app.command(epilog=CODES)
def logs(
    call: Annotated[str | None, typer.Option(metavar="SID", help="One call: its call_sid, stream_sid or conn_id.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is logged from now on.")] = False,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="-1h, today, '2026-11-25 10:00', @1764060000")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="The same.")] = None,
    errors: Annotated[bool, typer.Option("--errors", help="Warnings and worse only.")] = False,
    event: Annotated[list[str] | None, typer.Option(metavar="NAME", help="start, refused, close …; may be repeated.")] = None,
    lines: Annotated[
        int | None, typer.Option("--lines", "-n", min=1, help="The last so many; default 50 without --call and --since.")
    ] = None,
    merge: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Merge what hosts answered with --json; may be repeated, - is standard input."),
    ] = None,
    numbers: Numbers = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, the first about the journal.")] = False,
) -> None:
    """One call's story, or the last lines.

    With --call all lines of the call, across workers and generations, those from before its start too.

    Says since when the journal reaches back where something may be missing; exits 1 for a call that it does not know.

    \b
    Example:
      exotelctl logs --call 8b0de6af53bcfdd29e5cb990936df94r
    """
    from exotelctl.logs import verb
    from exotelctl.logs.question import ask

    with answering():
        question = ask(call=call, since=since, until=until, errors=errors, events=event or (), lines=lines, follow=follow)
        code = verb.run_merge(merge, numbers=numbers, json=json) if merge else verb.run(question, numbers=numbers, json=json)
    raise typer.Exit(code)
