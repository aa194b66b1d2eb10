"""Verbs about the messages of calls: record, play again, compare, watch."""

from exotel_phone.options import DiffOptions, ReplayOptions

from exotelctl.cli.app import command
from exotelctl.options import CaptureOptions, TraceOptions


@command()
def trace(options: TraceOptions) -> int:
    """Watch calls as ladders, message by message.

    Live calls on a terminal, or a saved capture; into a pipe a capture is printed as text. Keys are shown by ?.

    \b
    Example:
      exotelctl trace fault.jsonl --call a950c8dabf743862 --at 31.4
    """
    from exotelctl.trace import verb

    return verb.run(options)


@command()
def capture(options: CaptureOptions) -> int:
    """Record live calls, message by message.

    Taken in the workers, without slowing a call; what is no field of the protocol is overwritten. Stops by itself; exits 1 where
    something is missing.

    \b
    Example:
      exotelctl capture --next 1 --out fault.jsonl
    """
    from exotelctl.capture import verb

    return verb.run(options)


@command()
def replay(options: ReplayOptions) -> int:
    """Play a captured call again.

    What Exotel sent, byte for byte, at its pace; says whether the server answered bit for bit as recorded, or where not.

    \b
    Example:
      exotelctl replay fault.jsonl ws://127.0.0.1:8765
    """
    from exotel_phone.captures import replay as verb

    with verb.ending_by_signals():
        return verb.run(options)


@command()
def diff(options: DiffOptions) -> int:
    """Where do two captured calls part?

    Says nothing and exits 0 for identical ones. A changed pace is told, and is no difference.

    \b
    Example:
      exotelctl diff before.jsonl after.jsonl
    """
    from exotel_phone.captures import compare

    return compare.run(options)
