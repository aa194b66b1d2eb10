"""At a server of mode ai a bot is expected: a right one passes, and each wrong one fails by the right check."""

import asyncio
import base64

import pytest
from exotel_phone.protocol_test.exchange import Check
from exotel_phone.protocol_test.run import ProtocolTest
from exotel_phone.target import parse

from .echo_server import Break, Message, Reply, Stream, running

HEALTH = '{"status":"ok","service":"exotel-voicebot","mode":"ai"}'
ALL = ["HEALTH", "HANDSHAKE", "CONNECTED", "START", "GREETING", "MARK", "UNKNOWN_EVENT", "DTMF", "ISOLATION", "STOP", "DROP"]
SPOKEN = ("GREETING", "ISOLATION")


def words(sid: str, size: int = 3200, count: int = 12) -> list[Reply]:
    payload = base64.b64encode(bytes(size)).decode()
    said: list[Reply] = [{"event": "media", "stream_sid": sid, "media": {"payload": payload}} for _ in range(count)]
    return [*said, {"event": "mark", "stream_sid": sid, "mark": {"name": "heard-1"}}]


def bot(stream: Stream, message: Message, _replies: list[Reply]) -> list[Reply]:
    """Greet, and stop at a key."""
    if message["event"] == "start":
        return words(stream.sid)
    return [{"event": "clear", "stream_sid": stream.sid}, *words(stream.sid)] if message["event"] == "dtmf" else []


def mute(_stream: Stream, _message: Message, _replies: list[Reply]) -> list[Reply]:
    return []


def small_pieces(stream: Stream, message: Message, _replies: list[Reply]) -> list[Reply]:
    return words(stream.sid, size=640) if message["event"] == "start" else []


def of_another_call(stream: Stream, message: Message, _replies: list[Reply]) -> list[Reply]:
    return words("another") if message["event"] == "start" else []


def dies_of_the_unknown(stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
    if message["event"].startswith("exotelctl-"):
        stream.ws.transport.close()
    return bot(stream, message, replies)


def talks_on(stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
    if message["event"] == "stop":
        said = str(words(stream.sid)[0]).replace("'", '"')
        asyncio.get_running_loop().call_later(0.7, asyncio.ensure_future, stream.ws.send(said))
    return bot(stream, message, replies)


def in_one_piece(stream: Stream, message: Message, _replies: list[Reply]) -> list[Reply]:
    return words(stream.sid, size=96_000, count=1) if message["event"] == "start" else []


BOTS: dict[str, tuple[Break, dict[str, str]]] = {
    "right": (bot, {}),
    "right, in one piece": (in_one_piece, {}),
    "mute": (mute, dict.fromkeys(SPOKEN, "mute")),
    "small pieces": (small_pieces, dict.fromkeys(SPOKEN, "chunk-size")),
    "of another call": (of_another_call, dict.fromkeys(SPOKEN, "stream-sid")),
    "dies of the unknown": (dies_of_the_unknown, {"UNKNOWN_EVENT": "closed"}),
    "talks on after stop": (talks_on, {"STOP": "sent-after-stop"}),
}


@pytest.fixture(scope="module")
def tested() -> dict[str, list[Check]]:
    async def one(broken: Break) -> list[Check]:
        async with running(broken, health=HEALTH) as server, asyncio.timeout(60):
            return await ProtocolTest(parse(server.url), 8000, listen_s=0.6).run()

    async def all_of_them() -> list[list[Check]]:
        return await asyncio.gather(*(one(broken) for broken, _ in BOTS.values()))

    return dict(zip(BOTS, asyncio.run(all_of_them()), strict=True))


@pytest.mark.parametrize("name", BOTS)
def test_a_bot_fails_by_the_right_checks_and_no_other(name: str, tested: dict[str, list[Check]]) -> None:
    checks = tested[name]
    assert [check.name for check in checks] == ALL
    failed = {check.name: check.finding.problem for check in checks if check.outcome == "fail" and check.finding}
    assert failed == BOTS[name][1]
