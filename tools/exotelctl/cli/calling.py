"""Verbs that play Exotel's part: a call, a protocol test, a question for health, the URL."""

from typing import Any, Final

from exotel_phone.options import CallOptions, LoadOptions, ProtocolTestOptions, TalkOptions
from typer.core import TyperCommand

from exotelctl.cli.app import command
from exotelctl.options import HealthOptions, UrlOptions

_OF_TALK: Final = frozenset(("--say", "--dtmf", "--barge-in-after", "--voice", "--chart"))


@command("protocol-test")
def protocol_test(options: ProtocolTestOptions) -> int:
    """Is a server fit for Exotel?

    One PASS or FAIL line a check, totals, an exit code. Where /health says mode ai, a bot is expected, else an echo.

    \b
    Example:
      exotelctl protocol-test 'ws://127.0.0.1:8765?sample-rate=8000'
    """
    from exotel_phone.protocol_test import verb

    return verb.run(options)


class _Call(TyperCommand):
    """Refuse the options with which `call` talked to bots before there was `talk`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as every command does, unless the call is meant for a bot. Raises UsageError, which exits with 2."""
        words = [word.partition("=")[0] for word in args]
        if _OF_TALK.intersection(words) or words.count("--wav") > 1:
            ctx.fail('call measures an echo. To talk to a bot: exotelctl talk URL "When are you open?" dtmf:1 file:a.wav')
        return super().parse_args(ctx, args)


@command(cls=_Call)
def call(options: CallOptions) -> int:
    """Place a simulated call, measure the echo.

    Paced at 20 ms, exactly as on the wire. Says how late the echo was, and whether it is bit-exact. A server in mode ai does
    not echo: "exotelctl talk" talks to it.

    \b
    Example:
      exotelctl call ws://127.0.0.1:8765 --wav hello.wav --out echo.wav
    """
    from exotel_phone import call as verb

    return verb.run(options)


@command()
def talk(options: TalkOptions) -> int:
    """Talk to a bot, turn by turn.

    Paced at 20 ms, exactly as on the wire; each turn waits for the end of the bot's answer. Says who said what, how fast the
    bot answered and stopped when interrupted, and which of Exotel's rules it broke.

    \b
    Example:
      exotelctl talk ws://127.0.0.1:8765 "When are you open?" dtmf:1 file:a.wav
    """
    from exotel_phone.talk import verb

    return verb.run(options)


@command()
def load(options: LoadOptions) -> int:
    """Place many calls at once, check every echo.

    Each is paced at 20 ms as on the wire and ends as Exotel ends it. Ctrl-C ends the calls properly and reports until then.

    A server in mode ai does not echo: it is refused, "exotelctl talk" talks to it.

    Refuses a server that is neither this machine nor a host of --inventory, unless --i-own-this-server.

    \b
    Example:
      exotelctl load ws://127.0.0.1:8765 --calls 50 --seconds 60 --report out.html
    """
    from exotel_phone.load import verb

    return verb.run(options)


@command()
def health(options: HealthOptions) -> int:
    """Ask /health and /ready.

    Where they do not answer it says why.

    \b
    Example:
      exotelctl health http://203.0.113.10:8765
    """
    from exotelctl import health as verb

    return verb.run(options)


@command()
def url(options: UrlOptions) -> int:
    """Print the line to paste into Exotel.

    \b
    Example:
      exotelctl url --host 203.0.113.10
    """
    from exotelctl import url as verb

    return verb.run(options)
