"""Verbs about the messages of calls: record, play again, compare, watch."""

from pathlib import Path
from typing import Annotated

import typer

from exotelctl.cli.app import (
    SETTINGS_FILE,
    CallId,
    Credential,
    Force,
    Inventory,
    Json,
    Numbers,
    Own,
    Settings,
    Url,
    command,
)


@command()
def trace(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A saved capture; default: the live calls of this host.")
    ] = None,
    call: CallId = "",
    number: Annotated[str, typer.Option(metavar="NUMBER", help="Only calls from or to this number, or one that ends so.")] = "",
    numbers: Numbers = False,
    at: Annotated[float | None, typer.Option(metavar="SECONDS", help="Open the call at this time since it began.")] = None,
    audio: Annotated[
        bool, typer.Option("--audio", help="Live: take the audio too, to look at its level and to save it.")
    ] = False,
    json: Json = False,
) -> int:
    """Watch calls as ladders, message by message.

    Live calls on a terminal, or a saved capture; into a pipe a capture is printed as text. Keys are shown by ?.

    \b
    Example:
      exotelctl trace fault.jsonl --call a950c8dabf743862 --at 31.4
    """
    from exotelctl.trace import verb

    return verb.run(verb.Options(file, call, number, numbers, at, audio, json))


@command()
def capture(
    call: CallId = "",
    number: Annotated[str, typer.Option(metavar="NUMBER", help="The call from or to this number, or one that ends so.")] = "",
    next_calls: Annotated[
        int, typer.Option("--next", metavar="N", min=0, show_default=False, help="The next N calls that start.")
    ] = 0,
    all_calls: Annotated[bool, typer.Option("--all", help="Every call, until it is stopped.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Default: capture-TIME.jsonl here.")] = None,
    max_bytes: Annotated[str, typer.Option(metavar="SIZE", help="Stop when the file is this large.")] = "50M",
    seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Stop after this time; default 3600, with --packets 30.")
    ] = None,
    audio: Annotated[str, typer.Option(metavar="HOW", help="keep, noise (speech-shaped, same length) or omit.")] = "keep",
    mask: Annotated[bool, typer.Option("--mask", help="Overwrite numbers and keys pressed.")] = False,
    keep_parameters: Annotated[
        bool, typer.Option("--keep-parameters", help="Keep custom parameters, which are overwritten else.")
    ] = False,
    packets: Annotated[bool, typer.Option("--packets", help="Packet headers of the port by tcpdump, not messages.")] = False,
    count: Annotated[int, typer.Option(metavar="N", min=1, help="With --packets: stop after so many.")] = 1000,
    force: Force = False,
    settings: Settings = SETTINGS_FILE,
    json: Json = False,
) -> int:
    """Record live calls, message by message.

    Taken in the workers, without slowing a call; what is no field of the protocol is overwritten. Stops by itself; exits 1 where
    something is missing.

    \b
    Example:
      exotelctl capture --next 1 --out fault.jsonl
    """
    from exotelctl.capture import verb

    options = verb.Options(
        call=call,
        number=number,
        next=next_calls,
        all=all_calls,
        out=out,
        max_bytes=max_bytes,
        seconds=seconds,
        audio=audio,
        mask=mask,
        keep_parameters=keep_parameters,
        count=count,
        force=force,
        settings=settings,
        json=json,
    )
    return verb.run_packets(options) if packets else verb.run(options)


@command()
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A capture.")],
    url: Url,
    speed: Annotated[
        float, typer.Option(metavar="FACTOR", help="2 is twice as fast as it was, 0 as fast as the server takes it.")
    ] = 1.0,
    call: CallId = "",
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Record this run, as a capture.")] = None,
    force: Force = False,
    i_own_this_server: Own = False,
    inventory: Inventory = None,
    credential_file: Credential = None,
    json: Json = False,
) -> int:
    """Play a captured call again.

    What Exotel sent, byte for byte, at its pace; says whether the server answered bit for bit as recorded, or where not.

    \b
    Example:
      exotelctl replay fault.jsonl ws://127.0.0.1:8765
    """
    from exotel_phone.captures import replay as verb

    options = verb.Options(
        file=file,
        url=url,
        speed=speed,
        call=call,
        out=out,
        force=force,
        i_own_this_server=i_own_this_server,
        inventory=inventory,
        credential_file=credential_file,
        json=json,
    )
    with verb.ending_by_signals():
        return verb.run(options)


@command()
def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="A capture.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another.")],
    call: CallId = "",
    json: Json = False,
) -> int:
    """Where do two captured calls part?

    Says nothing and exits 0 for identical ones. A changed pace is told, and is no difference.

    \b
    Example:
      exotelctl diff before.jsonl after.jsonl
    """
    from exotel_phone.captures import compare

    return compare.run(compare.Options(a, b, call, json))
