"""A call on the wire, from its opening to the dropped connection."""

import asyncio
import json

from . import wire
from .phone import Phone, frame, upgrade_request
from .process import ServerProcess, eventually


def test_a_whole_call(server: ServerProcess) -> None:
    frames = wire.audio(100)

    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open("whole")
            assert await phone.converse(frames, "whole") == frames
            await phone.send(wire.mark("mark_1", "whole"))
            assert await phone.receive() == {"event": "mark", "stream_sid": "whole", "mark": {"name": "mark_1"}}
            await phone.send(wire.dtmf("5", "whole"), wire.clear("whole"), wire.stop("whole"))
            assert await phone.silence() == []

    before = server.metrics()
    asyncio.run(call())
    log = eventually(lambda: _ended(server, "whole"), "the end of the call in the log")
    assert not [line for line in log if "⚠️" in line]
    after = server.metrics()
    assert after['exotel_ws_calls_ended_total{how="stop"}'] == before['exotel_ws_calls_ended_total{how="stop"}'] + 1
    assert after["exotel_ws_calls_live"] == 0


def test_output_is_spelled_as_documented(server: ServerProcess) -> None:
    """Output is spelled as documented, byte for byte: snake_case ids, and no undocumented field."""

    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open("spelling")
            await phone.send(wire.media(b"\x01\x02" * 160, "spelling"), wire.mark("m", "spelling"))
            encoded = json.loads(wire.media(b"\x01\x02" * 160))["media"]["payload"]
            expected = '{"event":"media","stream_sid":"spelling","media":{"payload":"' + encoded + '"}}'
            assert await phone.socket.recv() == expected
            assert await phone.socket.recv() == '{"event":"mark","stream_sid":"spelling","mark":{"name":"m"}}'

    asyncio.run(call())


def test_ids_are_escaped_not_pasted(server: ServerProcess) -> None:
    """An id that needs JSON's escapes comes back as the same id."""
    sid = 'quote " slash \\ ü \u2028'

    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open(sid)
            await phone.send(wire.media(b"ab", sid), wire.mark('"\\', sid))
            assert (await phone.receive())["stream_sid"] == sid
            assert await phone.receive() == {"event": "mark", "stream_sid": sid, "mark": {"name": '"\\'}}

    asyncio.run(call())


def test_a_mark_is_answered_once(server: ServerProcess) -> None:
    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open()
            await phone.send(*[wire.mark("same")] * 5, wire.mark("other"), wire.mark("same"))
            names = [(await phone.receive())["mark"]["name"] for _ in range(2)]
            assert names == ["same", "other"]
            assert await phone.silence() == []

    asyncio.run(call())


def test_a_peer_that_answers_marks_does_not_ping_pong(server: ServerProcess) -> None:
    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open()
            await phone.send(wire.mark("ping"))
            answers = 0
            while heard := await phone.silence():
                answers += len(heard)
                assert answers < 3, "a mark goes round and round"
                await phone.send(*(wire.mark(answer["mark"]["name"]) for answer in heard))
            assert answers == 1

    asyncio.run(call())


def test_dtmf_and_clear_are_noted_and_not_answered(server: ServerProcess) -> None:
    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open("keys")
            await phone.send(*(wire.dtmf(digit, "keys") for digit in "0123456789*#"))
            await phone.send(wire.message(event="dtmf", digit="5"), wire.clear("keys"))
            await phone.in_order()

    asyncio.run(call())
    log = server.call_log("keys")
    assert [line for line in log if "DTMF EVENT" in line] == [f"🔢 DTMF EVENT - {digit}" for digit in "0123456789*#5"]
    assert sum("CLEAR EVENT" in line for line in log) == 1


def test_nothing_is_sent_after_stop(server: ServerProcess) -> None:
    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open("stopped")
            await phone.send(wire.stop("stopped"), wire.media(b"ab", "stopped"), wire.mark("m", "stopped"), wire.start("stopped"))
            assert await phone.silence() == []
            assert server.metrics()["exotel_ws_calls_live"] == 0

    asyncio.run(call())
    assert any("after stop is ignored" in line for line in server.call_log("stopped"))


def test_a_drop_without_stop_is_a_fault(server: ServerProcess) -> None:
    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open("dropped")
            await phone.in_order()

    before = server.metrics()['exotel_ws_calls_ended_total{how="no_stop"}']
    asyncio.run(call())
    log = eventually(lambda: _ended(server, "dropped"), "the end of the call in the log")
    assert log[-2].startswith("⚠️ Connection lost without stop (code 1006)")
    assert server.metrics()['exotel_ws_calls_ended_total{how="no_stop"}'] == before + 1


def test_a_client_may_close_without_stop(server: ServerProcess) -> None:
    async def call() -> None:
        async with Phone(server.url()) as phone:
            await phone.open("closed")
            await phone.socket.close(1000)

    before = server.metrics()['exotel_ws_calls_ended_total{how="closed_by_client"}']
    asyncio.run(call())
    log = eventually(lambda: _ended(server, "closed"), "the end of the call in the log")
    assert not [line for line in log if "⚠️" in line]
    assert server.metrics()['exotel_ws_calls_ended_total{how="closed_by_client"}'] == before + 1


def test_everything_in_one_packet(server: ServerProcess) -> None:
    """The handshake and the first messages may come in one segment: none is lost."""
    messages = [wire.connected(), wire.start("packet"), *(wire.media(pcm, "packet") for pcm in wire.audio(5)), wire.mark("m")]
    with server.raw() as client:
        client.socket.sendall(upgrade_request() + b"".join(map(frame, messages)))
        assert client.head()[0] == 101
        answers = [json.loads(client.read_frame()[1]) for _ in range(6)]
    assert [answer["event"] for answer in answers] == ["media"] * 5 + ["mark"]


def test_byte_by_byte(server: ServerProcess) -> None:
    """A call may come byte by byte, in a segment each."""
    data = upgrade_request() + b"".join(map(frame, [wire.start("bytes"), wire.media(b"abcd", "bytes")]))
    with server.raw() as client:
        for byte in data:
            client.socket.sendall(bytes([byte]))
        assert client.head()[0] == 101
        assert json.loads(client.read_frame()[1])["event"] == "media"


def test_two_legs_of_one_call_do_not_mix(server: ServerProcess) -> None:
    """Two sockets of one call, with the same call_sid and a stream_sid each, do not mix."""
    legs = {f"leg-{number}": wire.audio(100, seed=number) for number in range(2)}

    async def leg(sid: str) -> list[bytes]:
        async with Phone(server.url()) as phone:
            await phone.open(sid, call_sid="one-call")
            heard = []
            for chunk, pcm in enumerate(legs[sid], 1):
                await phone.send(wire.media(pcm, sid, chunk=chunk))
                answer = await phone.receive()
                assert answer["stream_sid"] == sid
                heard.append(answer["media"]["payload"])
            return heard

    async def calls() -> list[list[str]]:
        return await asyncio.gather(*map(leg, legs))

    for heard, sent in zip(asyncio.run(calls()), legs.values(), strict=True):
        assert heard == [json.loads(wire.media(pcm))["media"]["payload"] for pcm in sent]


def test_many_calls_at_once(server: ServerProcess) -> None:
    """Every stream gets its own audio, bit for bit and in order; every connection an id of its own."""
    sids = [f"many-{number}" for number in range(40)]

    async def call(number: int, sid: str) -> bool:
        frames = wire.audio(25, seed=number)
        async with Phone(server.url()) as phone:
            await phone.open(sid)
            return await phone.converse(frames, sid) == frames

    async def calls() -> list[bool]:
        return await asyncio.gather(*(call(number, sid) for number, sid in enumerate(sids)))

    assert all(asyncio.run(calls()))
    lines = [line for line in server.log().splitlines() if line.partition("Stream SID: ")[2] in sids]
    assert len({line.split("]")[0] for line in lines}) == len(sids)


def test_one_call_that_fails_leaves_the_others(server: ServerProcess) -> None:
    async def call() -> None:
        async with Phone(server.url()) as good, Phone(server.url()) as bad:
            await good.open("good")
            await bad.open("bad")
            frames = wire.audio(50)
            talking = asyncio.create_task(good.converse(frames, "good", pause_s=0.005))
            await bad.socket.send(b"\x00binary")
            assert (await bad.closed())[0] == 1003
            assert await talking == frames

    asyncio.run(call())


def _ended(server: ServerProcess, sid: str) -> list[str]:
    log = server.call_log(sid)
    return log if log[-1] == "👋 Connection closed" else []
