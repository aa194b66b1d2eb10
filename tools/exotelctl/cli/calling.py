"""Verbs that play Exotel's part: a call, a protocol test, a question for health, the URL."""

from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand

from exotelctl.cli.app import (
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
    command,
)

_OF_TALK: Final = frozenset(("--say", "--dtmf", "--barge-in-after", "--voice", "--chart"))


@command("protocol-test")
def protocol_test(
    url: Url,
    all_rates: Annotated[bool, typer.Option("--all-rates", help="At 8000, 16000 and 24000 Hz, not only the URL's.")] = False,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Longest wait for one answer.")] = 2.0,
    credential_file: Credential = None,
    json: Json = False,
) -> int:
    """Is a server fit for Exotel?

    One PASS or FAIL line a check, totals, an exit code. Where /health says mode ai, a bot is expected, else an echo.

    \b
    Example:
      exotelctl protocol-test 'ws://127.0.0.1:8765?sample-rate=8000'
    """
    from exotel_phone.protocol_test import verb

    return verb.run(verb.Options(url=url, all_rates=all_rates, timeout_s=timeout, credential_file=credential_file, json=json))


class _Call(TyperCommand):
    """Refuse the options with which `call` talked to bots before there was `talk`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as every command does, unless the call is meant for a bot. Raises UsageError, which exits with 2."""
        words = [word.partition("=")[0] for word in args]
        if _OF_TALK.intersection(words) or words.count("--wav") > 1:
            ctx.fail('call measures an echo. To talk to a bot: exotelctl talk URL "When are you open?" dtmf:1 file:a.wav')
        return super().parse_args(ctx, args)


@command(cls=_Call)
def call(
    url: Url,
    wav: Annotated[Path | None, typer.Option(metavar="FILE", help="What to send: mono 16-bit PCM WAV.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write what came back to this WAV file.")] = None,
    rate: Rate = None,
    seconds: Annotated[float, typer.Option(metavar="SECONDS", help="Length of the generated signal, without --wav.")] = 2.0,
    as_exotel: AsExotel = False,
    credential_file: Credential = None,
    json: Json = False,
) -> int:
    """Place a simulated call, measure the echo.

    Paced at 20 ms, exactly as on the wire. Says how late the echo was, and whether it is bit-exact. A server in mode ai does
    not echo: "exotelctl talk" talks to it.

    \b
    Example:
      exotelctl call ws://127.0.0.1:8765 --wav hello.wav --out echo.wav
    """
    from exotel_phone import call as verb

    return verb.run(
        verb.Options(
            url=url,
            wav=wav,
            out=out,
            rate=rate,
            seconds=seconds,
            as_exotel=as_exotel,
            credential_file=credential_file,
            json=json,
        )
    )


@command()
def talk(
    url: Url,
    turns: Annotated[
        list[str],
        typer.Argument(metavar="TURN...", help='"words to say", dtmf:KEYS to press, file:WAV to play (mono 16-bit PCM).'),
    ],
    barge_in_after: Annotated[
        int | None, typer.Option(metavar="MS", help="Say each next turn over the bot, so long after its answer began.")
    ] = None,
    voice: Annotated[str, typer.Option(metavar="NAME", help="Speaks: embedded, flite or espeak-ng; default: the first.")] = "",
    chart: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the call to this PNG file.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write what the caller heard to this WAV file.")] = None,
    rate: Rate = None,
    as_exotel: AsExotel = False,
    credential_file: Credential = None,
    json: Json = False,
) -> int:
    """Talk to a bot, turn by turn.

    Paced at 20 ms, exactly as on the wire; each turn waits for the end of the bot's answer. Says who said what, how fast the
    bot answered and stopped when interrupted, and which of Exotel's rules it broke.

    \b
    Example:
      exotelctl talk ws://127.0.0.1:8765 "When are you open?" dtmf:1 file:a.wav
    """
    from exotel_phone.talk import verb

    return verb.run(
        verb.Options(
            url=url,
            turns=turns,
            barge_in_after_ms=barge_in_after,
            voice=voice,
            chart=chart,
            out=out,
            rate=rate,
            as_exotel=as_exotel,
            credential_file=credential_file,
            json=json,
        )
    )


@command()
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
) -> int:
    """Place many calls at once, check every echo.

    Each is paced at 20 ms as on the wire and ends as Exotel ends it. Ctrl-C ends the calls properly and reports until then.

    A server in mode ai does not echo: it is refused, "exotelctl talk" talks to it.

    Refuses a server that is neither this machine nor a host of --inventory, unless --i-own-this-server.

    \b
    Example:
      exotelctl load ws://127.0.0.1:8765 --calls 50 --seconds 60 --report out.html
    """
    from exotel_phone.load import verb
    from exotel_phone.load.plan import Options

    return verb.run(
        Options(
            url=url,
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
    )


@command()
def health(
    url: Annotated[str | None, typer.Argument(metavar="[URL]", help="Default: the server on this host.")] = None,
    settings: Settings = SETTINGS_FILE,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Longest wait for one answer.")] = 5.0,
    json: Json = False,
) -> int:
    """Ask /health and /ready.

    Where they do not answer it says why.

    \b
    Example:
      exotelctl health http://203.0.113.10:8765
    """
    from exotelctl import health as verb

    return verb.run(verb.Options(url, settings, timeout, json))


@command()
def url(
    host: Annotated[
        str | None, typer.Option(metavar="HOST", help="Public name or address; default: public_url of the settings.")
    ] = None,
    port: Annotated[int | None, typer.Option(metavar="PORT", min=1, max=65535, help="Default: the settings', else 8765.")] = None,
    rate: Annotated[int, typer.Option(metavar="HZ", help="8000, 16000 or 24000.")] = 8000,
    settings: Settings = SETTINGS_FILE,
    json: Json = False,
) -> int:
    """Print the line to paste into Exotel.

    \b
    Example:
      exotelctl url --host 203.0.113.10
    """
    from exotelctl import url as verb

    return verb.run(verb.Options(host, port, rate, settings, json))
