"""Verbs about the messages of calls: record, play again, compare, watch."""

from pathlib import Path
from typing import Annotated

import typer

from exotelctl.cli.app import CODES, Json, answering, app


@app.command(epilog=CODES)
def trace(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A saved capture; default: the live calls of this host.")
    ] = None,
    call: Annotated[str, typer.Option(metavar="SID", help="Only this call: its call, stream or connection id.")] = "",
    number: Annotated[str, typer.Option(metavar="NUMBER", help="Only calls from or to this number, or one that ends so.")] = "",
    numbers: Annotated[bool, typer.Option("--numbers", help="Show callers' numbers whole.")] = False,
    at: Annotated[float | None, typer.Option(metavar="SECONDS", help="Open the call at this time since it began.")] = None,
    audio: Annotated[
        bool, typer.Option("--audio", help="Live: take the audio too, to look at its level and to save it.")
    ] = False,
    json: Json = False,
) -> None:
    """Watch calls as ladders, message by message.

    Live calls on a terminal, or a saved capture; into a pipe a capture is printed as text. Keys are shown by ?.

    \b
    Example:
      exotelctl trace fault.jsonl --call a950c8dabf743862c3dd740e082a1a4r --at 31.4
    """
    from exotelctl.trace import verb

    with answering():
        code = verb.run(file, call=call, number=number, numbers=numbers, at=at, keep_audio=audio, json=json)
    raise typer.Exit(code)
