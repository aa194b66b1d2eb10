"""Verbs that play Exotel's part: a call, a protocol test, a question for health, the URL."""

from pathlib import Path
from typing import Annotated

import typer

from exotelctl.cli.app import (
    CODES,
    SETTINGS_FILE,
    AsExotel,
    Credential,
    Force,
    Inventory,
    Json,
    Own,
    Rate,
    Settings,
    Url,
    answering,
    app,
)
from exotelctl.cli.in_order import InOrder, order


@app.command("protocol-test", epilog=CODES)
def protocol_test(
    url: Url,
    all_rates: Annotated[bool, typer.Option("--all-rates", help="At 8000, 16000 and 24000 Hz, not only the URL's.")] = False,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Longest wait for one answer.")] = 2.0,
    credential_file: Credential = None,
    json: Json = False,
) -> None:
    """Is a server fit for Exotel?

    One PASS or FAIL line a check, totals, an exit code. Where /health says mode ai, a bot is expected, else an echo.

    \b
    Example:
      exotelctl protocol-test 'ws://127.0.0.1:8765?sample-rate=8000'
    """
    from exotel_phone.protocol_test import verb

    with answering():
        code = verb.run(url, all_rates=all_rates, timeout_s=timeout, credential_file=credential_file, json=json)
    raise typer.Exit(code)


@app.command(epilog=CODES, cls=InOrder)
def call(
    ctx: typer.Context,
    url: Url,
    say: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="Say this to a bot; one turn each time given.")] = None,
    wav: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="What to say: mono 16-bit PCM WAV; to a bot one turn each.")
    ] = None,
    dtmf: Annotated[list[str] | None, typer.Option(metavar="KEYS", help="Press these keys; a turn of its own.")] = None,
    barge_in_after: Annotated[
        int | None, typer.Option(metavar="MS", help="Say each next turn over the bot, so long after its answer began.")
    ] = None,
    voice: Annotated[str, typer.Option(metavar="NAME", help="Of --say: embedded, flite or espeak-ng; default: the first.")] = "",
    chart: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the call with a bot to this PNG file.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write what came back to this WAV file.")] = None,
    rate: Rate = None,
    seconds: Annotated[float, typer.Option(metavar="SECONDS", help="Length of the generated signal, without --wav.")] = 2.0,
    as_exotel: AsExotel = False,
    credential_file: Credential = None,
    json: Json = False,
) -> None:
    """Place a simulated call: measure an echo, or talk to a bot.

    Paced at 20 ms, exactly as on the wire. An echo: how late it was, and whether it is bit-exact. A bot, to which something is
    said: the transcript, how fast it answered and stopped when interrupted, and what of Exotel's rules it broke.

    \b
    Example:
      exotelctl call ws://127.0.0.1:8765 --wav hello.wav --out echo.wav
      exotelctl call ws://127.0.0.1:8765 --say "When are you open?" --chart a.png
    """
    from exotel_phone import call as verb

    with answering():
        code = verb.answer(
            url,
            order=order(ctx),
            say=say or [],
            wav=wav or [],
            dtmf=dtmf or [],
            barge_in_after_ms=barge_in_after,
            voice=voice,
            chart=chart,
            out=out,
            rate=rate,
            seconds=seconds,
            as_exotel=as_exotel,
            credential_file=credential_file,
            json=json,
        )
    raise typer.Exit(code)


@app.command(epilog=CODES)
def load(
    url: Url,
    calls: Annotated[int, typer.Option(metavar="N", help="Calls at the same time, at most 5000.")] = 10,
    ramp: Annotated[float, typer.Option(metavar="SECONDS", help="Place them evenly over so long.")] = 2.0,
    seconds: Annotated[float, typer.Option(metavar="SECONDS", help="Length of the whole load, at most 3600.")] = 10.0,
    hold: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="End each call after so long and place a new one; default: none ends.")
    ] = None,
    rate: Rate = None,
    wav: Annotated[Path | None, typer.Option(metavar="FILE", help="What to say, over and over: mono 16-bit PCM WAV.")] = None,
    report: Annotated[Path | None, typer.Option(metavar="FILE", help="Write an HTML report, with latency over time.")] = None,
    force: Force = False,
    as_exotel: AsExotel = False,
    credential_file: Credential = None,
    inventory: Inventory = None,
    i_own_this_server: Own = False,
    max_processes: Annotated[
        int | None, typer.Option(min=1, max=64, metavar="N", help="Default: one for each 300 calls, at most one a core.")
    ] = None,
    json: Json = False,
) -> None:
    """Place many calls at once, check every echo.

    Each is paced at 20 ms as on the wire and ends as Exotel ends it. Ctrl-C ends the calls properly and reports until then.

    A server in mode ai does not echo: it is refused, "exotelctl call --say" talks to it.

    Refuses a server that is neither this machine nor a host of --inventory, unless --i-own-this-server.

    \b
    Example:
      exotelctl load ws://127.0.0.1:8765 --calls 50 --seconds 60 --report out.html
    """
    from exotel_phone.load import verb

    with answering():
        code = verb.run(
            url,
            calls=calls,
            ramp_s=ramp,
            seconds=seconds,
            hold_s=hold,
            rate=rate,
            wav=wav,
            report=report,
            force=force,
            as_exotel=as_exotel,
            credential_file=credential_file,
            inventory=inventory,
            i_own_this_server=i_own_this_server,
            max_processes=max_processes,
            json=json,
        )
    raise typer.Exit(code)


@app.command(epilog=CODES)
def health(
    url: Annotated[str | None, typer.Argument(metavar="[URL]", help="Default: the server on this host.")] = None,
    settings: Settings = SETTINGS_FILE,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Longest wait for one answer.")] = 5.0,
    json: Json = False,
) -> None:
    """Ask /health and /ready.

    Where they do not answer it says why.

    \b
    Example:
      exotelctl health http://203.0.113.10:8765
    """
    from exotelctl import health as verb

    with answering():
        code = verb.run(url, settings=settings, timeout_s=timeout, json=json)
    raise typer.Exit(code)


@app.command(epilog=CODES)
def url(
    host: Annotated[
        str | None, typer.Option(metavar="HOST", help="Public name or address; default: public_url of the settings.")
    ] = None,
    port: Annotated[int | None, typer.Option(metavar="PORT", min=1, max=65535, help="Default: the settings', else 8765.")] = None,
    rate: Annotated[int, typer.Option(metavar="HZ", help="8000, 16000 or 24000.")] = 8000,
    settings: Settings = SETTINGS_FILE,
    json: Json = False,
) -> None:
    """Print the line to paste into Exotel.

    \b
    Example:
      exotelctl url --host 203.0.113.10
    """
    from exotelctl import url as verb

    with answering():
        code = verb.run(host=host, port=port, rate=rate, settings=settings, json=json)
    raise typer.Exit(code)
