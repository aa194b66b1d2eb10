"""Judge a call to a bot. Pure."""

from typing import Final

from exotel_phone.command import command
from exotel_phone.reach import Fault
from exotel_phone.talk.call import Call
from exotel_phone.talk.measure import latency
from exotel_phone.text import plural, printable

_CUT_S: Final = 0.05
"""Seconds of audio that a close may cut: the time that the mark and the close travel, less than a word."""
_NORMAL: Final = 1000


def judge(call: Call) -> Fault | None:
    """Return the gravest fault; None for a call in which the bot did all that it had to."""
    logs = f"on the host: {command('exotelctl', 'logs', '--call', call.ids.call_sid)}"
    if call.fault_count:
        cause = f"{plural(call.fault_count, 'message')} that Exotel could not use, the first: {call.faults[0]}"
        return Fault("bad-messages", cause, logs)
    if call.end.by_bot and call.end.code != _NORMAL:
        return Fault("closed-early", call.end.how, logs)
    if call.end.by_bot and call.end.unheard_s > _CUT_S:
        cause = f"the bot closed the call while {call.end.unheard_s:.1f} s of its audio had not been played: the end is not heard"
        return Fault("cut-short", cause, "close after the mark of the last audio has come back")
    if not call.spoken:
        return Fault("never-answers", "the bot never said anything", logs)
    unanswered = [said.turn for said in call.said if latency(call, said) is None]
    if unanswered:
        count = f"{len(unanswered)} of {plural(len(call.said), 'turn')}"
        cause = f"the bot gave no answer to {count}, the first: {printable(unanswered[0].shown, 60)}"
        return Fault("no-answer", cause, logs)
    if call.unsaid:
        cause = f"the bot ended the call before {plural(len(call.unsaid), 'turn')} could be said"
        cure = f"compare what it answered with its flow or prompt; why it apologised, if it did: {logs}"
        return Fault("ended-early", cause, cure)
    if call.violations:
        first = call.violations[0]
        messages = plural(len({violation.at for violation in call.violations}), "message")
        cause = f"{messages} of {len(call.sizes)} break the chunk rules, the first: {first.size} bytes, {first.rule}"
        return Fault("chunks", cause, "docs/protocol.md: multiples of 320 bytes, 3,200 to 100,000")
    return None
