"""``exotelctl replay FILE URL``: play what Exotel sent, byte for byte and at its pace, and compare the answers.

Replaying a950c8dabf743862c3dd740e082a1a4r (1014 messages, 20.3 s) against ws://127.0.0.1:8765?sample-rate=8000
✅ bit-exact: the server answered as recorded, 1012 messages
"""

import asyncio
import base64
import contextlib
import signal
from types import FrameType
from typing import Final

from exotel_phone import ownership
from exotel_phone.captures.calls import Call, choose, load
from exotel_phone.captures.capture_file import CaptureFile
from exotel_phone.captures.compare import as_json, tell_gaps, tell_parting
from exotel_phone.captures.diff import compare
from exotel_phone.captures.play import play
from exotel_phone.captures.records import VERSION, Capture, End, Message, Record, line
from exotel_phone.exits import Exit, Refusal, UsageFault
from exotel_phone.options import ReplayOptions
from exotel_phone.output import emit_json, say, warn
from exotel_phone.reach import Unreachable
from exotel_phone.signals import handled
from exotel_phone.target import Target, parse
from exotel_phone.text import duration, plural, printable

_LONGEST_S: Final = 7200.0
"""Exotel's own limit is an hour."""


def run(options: ReplayOptions) -> Exit:
    """Do as `play_again` does, as a command that SIGTERM, or SIGHUP of a closed login, ends as Ctrl-C does: no file is left."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    with handled(end, signal.SIGTERM, signal.SIGHUP):
        return play_again(options)


def play_again(options: ReplayOptions) -> Exit:
    """Play a captured call; exit with 0 if the answers are those recorded. Raises UsageFault, Refusal."""
    if not 0 <= options.speed <= 100:
        raise UsageFault(f"--speed {options.speed:g}: 1 is the pace of the call, 0 as fast as the server takes it, 100 the most")
    recording = load(options.file)
    original = choose(recording, options.call, options.file)
    if fault := unplayable(original):
        raise UsageFault(f"{printable(str(options.file))}: {original.name} can't be played: {fault}")
    target = _at_the_rate(parse(options.url, options.credential_file, options.ca_file), original)
    target = ownership.require_own(target, options.i_own_this_server, options.inventory)
    try:
        with CaptureFile(options.out, force=options.force) if options.out else contextlib.nullcontext() as file:
            _announce(original, target, quiet=options.json)
            played = asyncio.run(play(original, target, options.speed))
            unsaved = _keep(file, _records(recording.head, original.name, played)) if file else ""
    except Unreachable as error:
        if options.json:
            emit_json({"same": False, "bit_exact": False, "fault": error.fault.kind, "text": error.fault.cause})
        else:
            say(error.fault.told)
        return Exit.PROBLEM
    same = _tell(original, played, options, str(options.out) if options.out and not unsaved else None)
    if unsaved:
        warn(unsaved)
    return Exit.OK if same and not unsaved else Exit.PROBLEM


def unplayable(call: Call) -> str:
    """Return why this call cannot be played as it was captured; "" if it can."""
    if call.opening.joined:
        return "its beginning was not captured"
    sent = call.of("exotel")
    if not sent:
        return "nothing came from Exotel"
    if any(message.omitted for message in sent):
        return "its audio was left out (take it with --audio keep, or noise)"
    times = [call.opening.at, *(message.at for message in sent)]
    if times != sorted(times) or times[-1] - times[0] > _LONGEST_S:
        return "its times make no sense"
    return "" if all(map(_can_be_sent, sent)) else "a message in it can't be sent"


def _can_be_sent(message: Message) -> bool:
    if message.binary:
        try:
            base64.b64decode(message.text, validate=True)
        except ValueError:
            return False
    return True


def _at_the_rate(target: Target, call: Call) -> Target:
    """Return the target with the rate that the captured call's URL asked for, unless the user's URL names one."""
    asked = call.opening.rate_asked
    return target.with_rate(int(asked)) if target.rate is None and asked in ("8000", "16000", "24000") else target


def _announce(original: Call, target: Target, *, quiet: bool) -> None:
    if not quiet:
        sent = original.of("exotel")
        length = duration(sent[-1].at - original.opening.at)
        say(f"Replaying {original.name} ({plural(len(sent), 'message')}, {length}) against {target.shown}")
    if original.missing:
        warn(f"the capture lacks {original.missing} of this call: the server may answer otherwise")


def _tell(original: Call, played: Call, options: ReplayOptions, file: str | None) -> bool:
    """Print the verdict; return True if the answers are the same."""
    comparison = compare(original, played, ["server"])
    answers = [[message.text for message in call.of("server")] for call in (original, played)]
    bit_exact = comparison.same and answers[0] == answers[1]
    if options.json:
        emit_json({**as_json(comparison), "bit_exact": bit_exact, "answers": len(answers[1]), "file": file})
    elif comparison.same:
        how = "bit-exact: the server answered as recorded" if bit_exact else "the same but for ids and numbering"
        say(f"✅ {how}, {plural(len(answers[1]), 'message')}")
    else:
        tell_parting(comparison.partings[0])
    if not options.json and options.speed == 1:
        tell_gaps(comparison)
    return comparison.same


def _keep(file: CaptureFile, records: list[Record]) -> str:
    """Save what was played; return why that failed, or "", so that the verdict is told in any case."""
    try:
        for record in records:
            file.write(line(record))
        file.keep()
    except OSError as error:
        file.discard()
        return f"{file.name} could not be written: {error.strerror}"
    except Refusal as refusal:
        return str(refusal)
    return ""


def _records(head: Capture, name: str, played: Call) -> list[Record]:
    opening, close = played.opening, played.close
    assert close is not None, "play closes"
    first = Capture(VERSION, opening.remote, "", "", opening.at, head.audio, head.masked, {"replay_of": name})
    end = End(close.at, True, "the call was played to its end", len(played.messages), 1)
    return [first, opening, *played.messages, close, end]
