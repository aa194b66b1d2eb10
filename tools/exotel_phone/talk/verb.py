"""``exotelctl talk``: talk to a bot, and report who said what, how fast it answered, and the rules that it broke.

📞 ws://127.0.0.1:8765 at 8000 Hz: 2 turns, voice flite
      0.1 s  bot     Hello, and welcome. How can I help?
      3.6 s  caller  When are you open?
      5.2 s  bot     We are open from 9 to 6.
      8.9 s  caller  No thank you, goodbye.
     10.9 s  bot     Thank you for calling. Goodbye!
     12.8 s          the bot ended the call (1000)

   greeting         84 ms
   voice to voice   p50 512 ms, max 604 ms  (512, 604)
   gaps             none
   chunks           41 messages of 3200 bytes, all by the rules, at most 0.7 s ahead
   call sid         45832a595f454085335ee0e9b3af254r
✅ The bot answered every turn.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from exotel_phone import audio
from exotel_phone.call import report_unreachable
from exotel_phone.encodings import ENCODINGS
from exotel_phone.exits import Exit, Refusal, UsageFault
from exotel_phone.options import TalkOptions
from exotel_phone.output import emit_json, say
from exotel_phone.reach import Fault, Unreachable
from exotel_phone.talk import report, script, sound, voice, words
from exotel_phone.talk.call import Call, Said
from exotel_phone.talk.caller import Caller
from exotel_phone.talk.script import Turn
from exotel_phone.talk.verdict import judge
from exotel_phone.target import SAMPLE_RATES, Target, parse
from exotel_phone.text import plural
from exotel_phone.writable import require_writable

_BARGE_IN_MS: Final = (100, 60_000)


def run(options: TalkOptions) -> Exit:
    """Place the call and print the result. Raises UsageFault and Refusal before anything is sent."""
    turns = [script.turn(typed) for typed in options.turns]
    target = parse(options.url, options.credential_file, options.ca_file)
    rate = target.asked_rate(options.rate) or SAMPLE_RATES[0]
    if options.barge_in_after is not None:
        _require_barge_in(options.barge_in_after, turns)
    require_writable("--out", options.out)
    require_writable("--chart", options.chart)
    if options.chart is not None:
        _require_pillow()
    named, said = prepare(turns, rate, options.voice)
    if not options.json:
        say(f"📞 {target.shown} at {rate} Hz: {plural(len(said), 'turn')}" + (f", voice {named}" if named else ""))
    try:
        call = asyncio.run(_place(target, rate, said, options))
    except Unreachable as error:
        return report_unreachable(target, rate, error.fault, json=options.json)
    words.recognise(call.spoken)
    unsaved = _save(call, target, options.out, options.chart)
    fault = judge(call) or unsaved
    if options.json:
        files = {"out": options.out, "chart": options.chart}
        emit_json({"url": target.shown, "voice": named, **report.as_json(call, fault, files)})
    else:
        say(report.text(call, fault))
    return Exit.OK if fault is None else Exit.PROBLEM


def prepare(turns: Sequence[Turn], rate: int, voice_name: str) -> tuple[str, list[Said]]:
    """Return the voice's name ("" if none is needed) and each turn with its PCM at ``rate`` Hz. Raises UsageFault and Refusal."""
    named, speak = voice.pick(voice_name) if any(turn.say for turn in turns) else ("", None)
    said = []
    for turn in turns:
        pcm = b""
        if turn.say and speak is not None:
            pcm = speak(turn.say, rate)
        elif turn.wav is not None:
            has, recorded = audio.read_wav(turn.wav)
            pcm = sound.resample(recorded, has, rate)
        heard = sound.trimmed(pcm, rate)
        if not (heard or turn.dtmf):
            raise UsageFault(f"{turn.shown}: there is nothing to hear in it")
        said.append(Said(turn, heard))
    return named, said


async def _place(target: Target, rate: int, said: list[Said], options: TalkOptions) -> Call:
    barge_in_s = None if options.barge_in_after is None else options.barge_in_after / 1000
    encoding = ENCODINGS[options.encoding]
    caller = Caller(target, rate, said, strip_query=options.as_exotel, barge_in_s=barge_in_s, encoding=encoding)
    return await caller.carry_out()


def _require_barge_in(after_ms: int, turns: Sequence[Turn]) -> None:
    least, most = _BARGE_IN_MS
    if not least <= after_ms <= most:
        raise UsageFault(f"--barge-in-after {after_ms}: between {least} and {most} ms")
    if len(turns) < 2:
        raise UsageFault("--barge-in-after speaks over the answer to a turn: give a second one")


def _require_pillow() -> None:
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise Refusal("--chart draws with Pillow, which the ai extra brings: pip install 'exotel-voicebot[ai]'") from None


def _save(call: Call, target: Target, out: Path | None, chart: Path | None) -> Fault | None:
    try:
        if out is not None:
            audio.write_wav(out, call.rate, heard(call))
        if chart is not None:
            from exotel_phone.talk.picture import draw

            draw(call, target.shown).save(chart, format="PNG", optimize=True)
    except OSError as error:
        return Fault("not-saved", f"{error.filename} cannot be written: {error.strerror}", "name another file")
    return None


def heard(call: Call) -> bytes:
    """Return the PCM that the caller heard, from ``start`` on, silence included."""
    line = bytearray()
    for utterance in call.spoken:
        line = line.ljust(round(call.at(utterance.begins) * call.rate) * 2, b"\0") + utterance.pcm
    return bytes(line)
