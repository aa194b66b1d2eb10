"""Verbs that change something on this host. Each says what it is about to do, and to whom, before it does it."""

from typing import Annotated

import typer

from exotelctl.cli.app import CODES, Json, Yes, answering, app


@app.command("port-clean", epilog=CODES)
def port_clean(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The TCP port to free.")] = 8765,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, do nothing, exit 0.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also end a process that a service manager looks after.")] = False,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Wait after SIGTERM, and again after SIGKILL.")] = 10.0,
    json: Json = False,
) -> None:
    """Free a port from zombies.

    Says who holds it and why, asks, then SIGTERM, a wait, SIGKILL, and proof that the port is free.

    On a terminal it asks. Elsewhere it acts only with --yes; without, it prints the plan and exits 3.

    \b
    Example:
      exotelctl port-clean --port 8765 --dry-run
    """
    from exotelctl.port import verb

    with answering():
        code = verb.run(port, yes=yes, dry_run=dry_run, force=force, timeout_s=timeout, json=json)
    raise typer.Exit(code)
