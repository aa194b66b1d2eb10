"""The protocol test's judgements, one broken answer a row."""

import base64
import json
from functools import partial

import pytest
from exotel_phone.health import fault_of, mode_of
from exotel_phone.protocol_test import judges
from exotel_phone.protocol_test.exchange import Broken, Check, Exchange, Finding, Judge
from exotel_phone.protocol_test.verb import compliant, line, summary, totals
from exotel_phone.target import parse

SID = "e33f4r"
A, B = bytes(range(160)) * 2, bytes(range(160, 0, -1)) * 2


def media(pcm: bytes = A, /, **changed: object) -> str:
    payload = base64.b64encode(pcm).decode()
    return json.dumps({"event": "media", "stream_sid": SID, "media": {"payload": payload}, **changed})


def mark(name: str = "m", **changed: object) -> str:
    return json.dumps({"event": "mark", "stream_sid": SID, "mark": {"name": name}, **changed})


def without(message: str, key: str) -> str:
    return json.dumps({name: value for name, value in json.loads(message).items() if name != key})


def finding_of(judge: Judge, exchange: Exchange) -> Finding | None:
    try:
        judge(exchange)
    except Broken as broken:
        return broken.finding
    return None


def camel(message: str) -> str:
    return message.replace("stream_sid", "streamSid")


@pytest.mark.parametrize(
    ("received", "problem"),
    [
        ([media(A), media(B)], None),
        ([media(A, sequence_number="1"), media(B, sequence_number=2)], None),
        ([media(A, media={"payload": base64.b64encode(A).decode(), "chunk": "1", "timestamp": "20"}), media(B)], None),
        ([], "no-answer"),
        ([media(A)], "no-answer"),
        ([media(B), media(A)], "order"),
        ([media(A), media(A)], "order"),
        ([media(A), media(B), media(B)], "surplus"),
        ([media(A[:-1] + b"\x07"), media(B)], "altered"),
        ([media(A[:160]), media(A[160:])], "altered"),
        ([camel(media(A)), camel(media(B))], "camel-case"),
        ([media(A, sequenceNumber=1)], "camel-case"),
        ([without(media(A), "stream_sid")], "no-stream-sid"),
        ([media(A, stream_sid="other")], "stream-sid"),
        ([media(A, stream_sid=SID.upper())], "stream-sid"),
        ([media(A, track="outbound")], "unknown-key"),
        ([media(A, media={"payload": "AAAA", "encoding": "raw"})], "unknown-key"),
        ([without(media(A), "media")], "no-body"),
        ([media(A, media={})], "no-payload"),
        ([media(A, media={"payload": "!!"})], "not-base64"),
        ([mark()], "wrong-event"),
        (["pong"], "not-json"),
        (["[1]"], "not-json"),
        ([A], "binary"),
    ],
)
def test_echo(received: list[str | bytes], problem: str | None) -> None:
    finding = finding_of(partial(judges.echo, SID, [A, B]), Exchange(tuple(received)))
    assert (finding.problem if finding else None) == problem
    assert finding is None or len(finding.cause) > 20


def test_a_cause_says_where_the_audio_differs() -> None:
    finding = finding_of(partial(judges.echo, SID, [A]), Exchange((media(A[:14] + b"\xff" + A[15:]),)))
    assert finding is not None
    assert "byte 14 of 320" in finding.cause


@pytest.mark.parametrize(
    ("received", "problem"),
    [
        ([mark()], None),
        ([], "no-answer"),
        ([mark(), mark()], "mark-loop"),
        ([mark("other")], "mark-name"),
        ([camel(mark())], "camel-case"),
        ([media(A)], "wrong-event"),
    ],
)
def test_mark_once(received: list[str | bytes], problem: str | None) -> None:
    finding = finding_of(partial(judges.mark_once, SID, "m"), Exchange(tuple(received)))
    assert (finding.problem if finding else None) == problem


CLOSED = Exchange(closed="with code 1011")


@pytest.mark.parametrize(
    ("judge", "exchange", "problem"),
    [
        (partial(judges.silence, "dtmf"), Exchange(), None),
        (partial(judges.silence, "dtmf"), Exchange((media(A),)), "answered"),
        (partial(judges.silence, "dtmf"), CLOSED, "closed"),
        (partial(judges.mark_not_again, "m"), Exchange(), None),
        (partial(judges.mark_not_again, "m"), Exchange((mark(),)), "mark-loop"),
        (partial(judges.mark_not_again, "m"), CLOSED, "closed"),
        (judges.nothing_after_stop, Exchange(), None),
        (judges.nothing_after_stop, CLOSED, None),
        (judges.nothing_after_stop, Exchange((media(A),)), "sent-after-stop"),
        (partial(judges.echo, SID, [A]), CLOSED, "closed"),
        (partial(judges.mark_once, SID, "m"), CLOSED, "closed"),
    ],
)
def test_silence(judge: Judge, exchange: Exchange, problem: str | None) -> None:
    finding = finding_of(judge, exchange)
    assert (finding.problem if finding else None) == problem


@pytest.mark.parametrize(
    ("status", "body", "healthy"),
    [
        (200, '{"status":"ok","service":"exotel-passthrough","mode":"echo"}', True),
        (200, '{"status":"draining"}', False),
        (200, "<html>", False),
        (200, "[]", False),
        (503, '{"status":"ok"}', False),
    ],
)
def test_health(status: int, body: str, healthy: bool) -> None:
    assert (fault_of(status, body) == "") == healthy


def test_hostile_answers_reach_the_terminal_harmless() -> None:
    for message in ("\x1b[2J", media(A, stream_sid="\x1b[2J"), media(A, **{"\x1b[2J": 1})):
        finding = finding_of(partial(judges.echo, SID, [A]), Exchange((message,)))
        assert finding is not None
        assert finding.cause.isprintable()


PASS = Check("MEDIA_1", 8000, "pass", "silence is echoed")
FAIL = Check("MARK", 8000, "fail", "a mark is answered once", Finding("no-answer", "no answer to mark within 2 s"))
NOT_RUN = Check("STOP", 8000, "not-run", "nothing is sent after stop", Finding("not-run", "there is no connection"))


def test_the_guides_lines() -> None:
    assert line(PASS, False) == "✅ MEDIA_1 - PASS"
    assert line(FAIL, False) == "❌ MARK - FAIL: no answer to mark within 2 s"
    assert line(NOT_RUN, True) == "⏭️  STOP @ 8000 Hz - NOT RUN: there is no connection"
    assert totals([PASS]).endswith("📈 Total: 1\n\n🎉 All tests passed! Server is protocol compliant.")


def test_totals_count_what_did_not_run_and_never_call_it_compliant() -> None:
    text = totals([PASS, FAIL, NOT_RUN])
    assert "✅ Passed: 1\n❌ Failed: 1\n⏭️  Not run: 1\n📈 Total: 3" in text
    assert text.endswith("Failed: MARK")
    assert not compliant([PASS, NOT_RUN])
    assert not compliant([])


def test_json_totals() -> None:
    made = summary(parse("ws://u:secret@h"), [PASS, FAIL, NOT_RUN])
    assert (made["passed"], made["failed"], made["not_run"], made["total"], made["compliant"]) == (1, 1, 1, 3, False)
    assert "secret" not in json.dumps(made)


def spoken(*sizes: int) -> list[str]:
    return [media(bytes(size)) for size in sizes]


@pytest.mark.parametrize(
    ("received", "span_s", "problem"),
    [
        (spoken(3200, 3200, 3840), 0.4, None),
        ([mark(), *spoken(99_840)], 0.0, None),
        ([*spoken(3200), json.dumps({"event": "clear", "stream_sid": SID}), *spoken(3200)], 0.2, None),
        ([], 0.0, "mute"),
        ([mark()], 0.0, "mute"),
        (spoken(3200, 320), 0.0, "chunk-size"),
        (spoken(3300), 0.0, "chunk-size"),
        (spoken(100_160), 0.0, "chunk-size"),
        (spoken(*[3200] * 6), 2.0, "slow"),
        (["{", *spoken(3200)], 0.0, "not-json"),
        ([*spoken(3200), camel(spoken(3200)[0])], 0.0, "camel-case"),
        ([without(spoken(3200)[0], "stream_sid")], 0.0, "no-stream-sid"),
        ([json.dumps({"event": "hello", "stream_sid": SID})], 0.0, "wrong-event"),
    ],
)
def test_what_a_bot_says_is_what_exotel_can_play(received: list[str], span_s: float, problem: str | None) -> None:
    found = finding_of(partial(judges.speaks, SID, 8000), Exchange(tuple(received), span_s=span_s))
    assert (found.problem if found else None) == problem


def test_the_pace_of_speech_is_that_of_its_rate() -> None:
    """The pace of speech follows its rate: the pace for 8 kHz is half of that for 16 kHz."""
    said = Exchange(tuple(spoken(*[3200] * 6)), span_s=1.0)
    assert finding_of(partial(judges.speaks, SID, 8000), said) is None
    slow = finding_of(partial(judges.speaks, SID, 16000), said)
    assert slow is not None
    assert slow.problem == "slow"


@pytest.mark.parametrize(
    ("exchange", "problem"),
    [
        (Exchange(), None),
        (Exchange((media(bytes(3200)), mark())), None),
        (Exchange((mark(sequence_number=1, extra=2),)), "unknown-key"),
        (Exchange(closed="with code 1011"), "closed"),
    ],
)
def test_a_bot_bears_what_it_need_not_answer(exchange: Exchange, problem: str | None) -> None:
    found = finding_of(partial(judges.bears, SID, "dtmf"), exchange)
    assert (found.problem if found else None) == problem


@pytest.mark.parametrize(
    ("body", "mode"), [('{"status":"ok","mode":"ai"}', "ai"), ('{"status":"ok"}', ""), ("[]", ""), ("ok", "")]
)
def test_the_mode_is_what_health_names(body: str, mode: str) -> None:
    assert mode_of(body) == mode
