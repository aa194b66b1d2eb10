"""The protocol test passes a right server and fails every wrong one, by the check that names the fault."""

import asyncio
import base64
import json
from typing import Any

import pytest
from exotel_phone.exits import Exit
from exotel_phone.options import ProtocolTestOptions
from exotel_phone.protocol_test import verb
from exotel_phone.protocol_test.exchange import Check
from exotel_phone.protocol_test.run import ProtocolTest
from exotel_phone.target import parse

from .echo_server import Break, Message, Reply, Stream, running

ALL = [
    "HEALTH", "HANDSHAKE", "CONNECTED", "START", "MEDIA_1", "MEDIA_2", "MEDIA_3", "MEDIA_4", "MEDIA_INTS", "MEDIA_BURST",
    "MARK", "MARK_AGAIN", "DTMF", "CLEAR", "UNKNOWN_EVENT", "ISOLATION", "STOP", "DROP",
]  # fmt: skip
ECHOES = {"MEDIA_1", "MEDIA_2", "MEDIA_3", "MEDIA_4", "MEDIA_INTS", "MEDIA_BURST", "UNKNOWN_EVENT", "ISOLATION"}


class Subject:
    """Server, right or broken in one way, and the expected findings. All are tested at the same time."""

    def __init__(self, broken: Break | None, failing: dict[str, str], *, rate: int = 8000, health: str = "") -> None:
        self.broken = broken
        self.failing = failing
        self.rate = rate
        self.health = health
        self.checks: dict[str, Check] = {}

    async def run(self) -> None:
        async with running(self.broken, health=self.health) as server, asyncio.timeout(60):
            checks = await ProtocolTest(parse(server.url), self.rate, listen_s=0.3).run()
        assert [check.name for check in checks] == ALL, "every check appears once, whatever happens"
        self.checks = {check.name: check for check in checks}


def failed(checks: dict[str, Check]) -> dict[str, str]:
    return {name: check.finding.problem for name, check in checks.items() if check.outcome == "fail" and check.finding}


def camel_case(_stream: Stream, _message: Message, replies: list[Reply]) -> list[Reply]:
    return [json.dumps(reply).replace("stream_sid", "streamSid") for reply in replies]


def never_echo(_stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
    return [] if message["event"] == "media" else replies


def altered(_stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
    """Change everything but silence, as a volume control does."""
    if message["event"] == "media":
        pcm = base64.b64decode(message["media"]["payload"])
        halved = b"".join((int.from_bytes(pcm[i : i + 2], "little", signed=True) // 2).to_bytes(2, "little", signed=True)
                          for i in range(0, len(pcm), 2))  # fmt: skip
        edit(replies[0])["media"]["payload"] = base64.b64encode(halved).decode()
    return replies


def marks_each_time(stream: Stream, message: Message, _replies: list[Reply]) -> list[Reply]:
    stream.marks.clear()
    return right_mark(stream, message) if message["event"] == "mark" else _replies


def marks_for_ever(stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
    """Send the mark once more at each message: later checks must not be blamed for the strays."""
    return [*replies, *right_mark(stream, {"mark": {"name": next(iter(stream.marks))}})] if stream.marks else replies


def answers_dtmf(stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
    return [{"event": "dtmf", "stream_sid": stream.sid}] if message["event"] == "dtmf" else replies


def answers_clear(stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
    return [{"event": "clear", "stream_sid": stream.sid}] if message["event"] == "clear" else replies


def sends_after_stop(stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
    goodbye: Message = {"event": "media", "stream_sid": stream.sid, "media": {"payload": "AAAA"}}
    return [goodbye] if message["event"] == "stop" else replies


def twice(_stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
    return replies * 2 if message["event"] == "media" else replies


def extra_key(_stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
    if message["event"] == "media":
        edit(replies[0])["media"]["encoding"] = "raw"
    return replies


def binary(_stream: Stream, _message: Message, replies: list[Reply]) -> list[Reply]:
    return [json.dumps(reply).encode() for reply in replies]


def first_stream_only() -> Break:
    """Use one global stream_sid, as servers do that were tested with single calls."""
    sids: list[str] = []

    def broken(stream: Stream, _message: Message, replies: list[Reply]) -> list[Reply]:
        if stream.sid:
            sids.append(stream.sid)
        for reply in replies:
            edit(reply)["stream_sid"] = sids[0]
        return replies

    return broken


def swapped() -> Break:
    """Send each second frame before the first, as workers do that overtake each other."""
    held: list[Reply] = []

    def broken(_stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
        if message["event"] != "media" or int(message["media"]["chunk"]) not in range(6, 16):
            return replies
        held.extend(replies)
        if len(held) < 2:
            return []
        out = held[::-1]
        held.clear()
        return out

    return broken


def strict_numbers(_stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
    return [] if isinstance(message.get("sequence_number"), int) else replies


def right_mark(stream: Stream, message: Message) -> list[Reply]:
    return [{"event": "mark", "stream_sid": stream.sid, "mark": {"name": message["mark"]["name"]}}]


def edit(reply: Reply) -> dict[str, Any]:
    assert isinstance(reply, dict)
    return reply


def dies_of_the_unknown(stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
    if message["event"].startswith("exotelctl-"):
        stream.ws.transport.close()
        return []
    return replies


SERVERS = {
    "right, 8000 Hz": Subject(None, {}),
    "right, 16000 Hz": Subject(None, {}, rate=16000),
    "right, 24000 Hz": Subject(None, {}, rate=24000),
    "camelCase": Subject(camel_case, dict.fromkeys([*ECHOES, "MARK"], "camel-case")),
    "never echoes": Subject(never_echo, dict.fromkeys(ECHOES, "no-answer")),
    "alters the audio": Subject(altered, dict.fromkeys(ECHOES - {"MEDIA_1"}, "altered")),
    "answers each mark": Subject(marks_each_time, {"MARK_AGAIN": "mark-loop"}),
    "sends marks for ever": Subject(marks_for_ever, {"MARK": "mark-loop", "MARK_AGAIN": "mark-loop"}),
    "answers dtmf": Subject(answers_dtmf, {"DTMF": "answered"}),
    "answers clear": Subject(answers_clear, {"CLEAR": "answered"}),
    "sends after stop": Subject(sends_after_stop, {"STOP": "sent-after-stop"}),
    "echoes twice": Subject(twice, {**dict.fromkeys(ECHOES, "surplus"), "MEDIA_BURST": "order"}),
    "an undocumented key": Subject(extra_key, dict.fromkeys(ECHOES, "unknown-key")),
    "binary messages": Subject(binary, dict.fromkeys([*ECHOES, "MARK"], "binary")),
    "one global stream_sid": Subject(first_stream_only(), {"ISOLATION": "stream-sid"}),
    "frames out of order": Subject(swapped(), {"MEDIA_BURST": "order"}),
    "numbers as strings only": Subject(strict_numbers, {"MEDIA_INTS": "no-answer"}),
    "dies of an unknown event": Subject(dies_of_the_unknown, {"UNKNOWN_EVENT": "closed"}),
    "unhealthy": Subject(None, {"HEALTH": "unhealthy", "DROP": "unhealthy"}, health='{"status":"down"}'),
}


@pytest.fixture(scope="module")
def tested() -> dict[str, Subject]:
    """Return every server of the table after its test."""

    async def main() -> None:
        await asyncio.gather(*(server.run() for server in SERVERS.values()))

    asyncio.run(main())
    return SERVERS


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_fails_by_the_right_checks_and_no_other(name: str, tested: dict[str, Subject]) -> None:
    server = tested[name]
    assert failed(server.checks) == server.failing
    for failing in server.failing:
        finding = server.checks[failing].finding
        assert finding is not None
        assert len(finding.cause.split()) >= 5, "a cause is a sentence"


def test_a_right_server_passes_every_check(tested: dict[str, Subject]) -> None:
    assert {check.outcome for check in tested["right, 8000 Hz"].checks.values()} == {"pass"}


def test_what_comes_after_a_lost_connection_is_not_run(tested: dict[str, Subject]) -> None:
    checks = tested["dies of an unknown event"].checks
    assert checks["UNKNOWN_EVENT"].finding is not None
    assert "1006" in checks["UNKNOWN_EVENT"].finding.cause
    assert [name for name, check in checks.items() if check.outcome == "not-run"] == ["ISOLATION", "STOP"]


def test_no_server_is_one_cause_and_the_rest_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    code = verb.run(ProtocolTestOptions(url="ws://127.0.0.1:9", all_rates=False, timeout=0.5))
    said = capsys.readouterr().out
    assert code == Exit.PROBLEM
    assert "❌ HANDSHAKE - FAIL: 127.0.0.1:9 refused the connection" in said
    assert "⏭️  MEDIA_1 - NOT RUN" in said
    assert "✅ Passed: 0" in said
    assert "🎉" not in said


def test_the_guides_output_and_all_rates(capsys: pytest.CaptureFixture[str]) -> None:
    async def main(json_: bool) -> Exit:
        async with running() as server:
            options = ProtocolTestOptions(url=server.url, all_rates=not json_, timeout=0.5, json=json_)
            return await asyncio.to_thread(verb.run, options)

    assert asyncio.run(main(False)) == Exit.OK
    said = capsys.readouterr().out
    assert "📤 Sending: MEDIA_1\n📨 Received response for MEDIA_1\n✅ MEDIA_1 @ 24000 Hz - PASS" in said
    assert f"📈 Total: {3 * len(ALL)}" in said
    assert said.endswith("🎉 All tests passed! Server is protocol compliant.\n")
    assert asyncio.run(main(True)) == Exit.OK
    made = json.loads(capsys.readouterr().out)
    assert (made["compliant"], made["total"], made["failed"]) == (True, len(ALL), 0)
