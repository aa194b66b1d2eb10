"""The simulated phone: its messages to a server, and its judgement of a server."""

import asyncio
import base64
import itertools
import json
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from exotel_phone import audio, call
from exotel_phone.exits import Exit
from exotel_phone.options import CallOptions
from exotel_phone.phone import CallResult, Phone, place_call
from exotel_phone.reach import Unreachable
from exotel_phone.target import parse
from exotel_ws.encodings import Encoding

from .echo_server import Message, Reply, Stream, eventually, running

FRAMES = audio.frames(audio.speech_like(0.2, 8000), 8000)


def test_a_server_sees_an_exotel_call() -> None:
    async def main() -> None:
        async with running() as server:
            result = await place_call(f"{server.url}/voice?sample-rate=8000", FRAMES)
            await eventually(lambda: server.close_codes, "the connection ends")
            (stream,), (request,) = server.streams, server.requests
        assert request.path == "/voice?sample-rate=8000"
        assert request.headers["User-Agent"] == "Go-http-client/1.1"
        assert "Sec-WebSocket-Extensions" not in request.headers
        assert [message["event"] for message in stream.received] == ["connected", "start", *["media"] * 10, "stop"]
        assert "custom_parameters" not in stream.received[1]["start"]
        assert stream.received[1]["stream_sid"] == result.ids.stream_sid
        assert server.close_codes == [1006]
        assert result.ok
        assert (result.frames_sent, result.frames_received, result.frames_lost) == (10, 10, 0)
        assert len(result.round_trips_ms) == 10
        assert all(trip > 0 for trip in result.round_trips_ms)

    asyncio.run(main())


def test_as_exotel_the_query_travels_in_start() -> None:
    async def main() -> None:
        async with running() as server:
            await place_call(f"{server.url}/p?sample-rate=16000&token=abc", [bytes(640)], rate=16000, strip_query=True)
            start = server.streams[0].received[1]["start"]
        assert server.requests[0].path == "/p"
        assert start["custom_parameters"] == {"sample-rate": "16000", "token": "abc"}
        assert start["media_format"]["sample_rate"] == "16000"

    asyncio.run(main())


def test_a_credential_of_the_url_is_sent_as_basic() -> None:
    async def main() -> None:
        async with running() as server:
            await place_call(f"ws://key:tok%20en@127.0.0.1:{server.port}", [bytes(320)])
        assert server.requests[0].headers["Authorization"] == "Basic " + base64.b64encode(b"key:tok en").decode()

    asyncio.run(main())


def test_the_pace_is_one_clock_without_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace is one clock without drift: frames are due every 20 ms from the first, even if two are 200 ms late."""
    due: list[float] = []
    wait = Phone.until

    async def until(phone: Phone, when: float) -> None:
        due.append(when)
        await wait(phone, when)

    monkeypatch.setattr(Phone, "until", until)

    def stumbling() -> Iterator[bytes]:
        for number, frame in enumerate(itertools.islice(itertools.cycle(FRAMES), 50)):
            if number in (10, 20):
                time.sleep(0.2)
            yield frame

    async def main() -> CallResult:
        async with running() as server:
            phone = Phone(parse(server.url))
            await phone.dial()
            await phone.play(stumbling())
            await phone.hang_up()
            return phone.result()

    result = asyncio.run(main())
    assert [when - due[0] for when in due[:50]] == pytest.approx([number * 0.02 for number in range(50)])
    assert result.late_max_ms > 150


def test_many_calls_in_one_loop_keep_apart() -> None:
    async def main() -> list[CallResult]:
        async with running() as server:
            return await asyncio.gather(*(place_call(server.url, FRAMES, keep_audio=True) for _ in range(50)))

    results = asyncio.run(main())
    assert all(result.ok for result in results)
    assert all(result.audio == b"".join(FRAMES) for result in results)
    assert len({result.ids.stream_sid for result in results}) == 50


def drops_one(_stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
    return [] if message.get("media", {}).get("chunk") == "4" else replies


def flips_a_bit(_stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
    if message.get("media", {}).get("chunk") == "4":
        pcm = bytearray(FRAMES[3])
        pcm[7] ^= 1
        return [{**replies[0], "media": {"payload": base64.b64encode(pcm).decode()}}]  # type: ignore[dict-item]
    return replies


def hangs_up(stream: Stream, message: Message, replies: list[Reply]) -> list[Reply]:
    if message.get("media", {}).get("chunk") == "4":
        stream.ws.transport.close()
        return []
    return replies


def wrong_sid(_stream: Stream, _message: Message, replies: list[Reply]) -> list[Reply]:
    return [json.dumps(reply).replace('"stream_sid": "', '"stream_sid": "x') for reply in replies]


def silent(_stream: Stream, _message: Message, _replies: list[Reply]) -> list[Reply]:
    return []


@pytest.mark.parametrize(
    ("broken", "kind", "difference", "lost"),
    [
        (drops_one, "lost", 3 * 320, 1),
        (flips_a_bit, "altered", 3 * 320 + 7, 0),
        (hangs_up, "closed-early", 3 * 320, None),
        (wrong_sid, "bad-messages", 0, 10),
        (silent, "no-echo", 0, 10),
    ],
)
def test_what_is_wrong_is_named(broken: object, kind: str, difference: int, lost: int | None) -> None:
    async def main() -> CallResult:
        async with running(broken) as server:  # type: ignore[arg-type]
            return await place_call(server.url, FRAMES, settle_s=0.5)

    result = asyncio.run(main())
    fault = call.judge(result)
    assert fault is not None
    assert fault.kind == kind
    assert result.difference == difference
    assert not result.ok
    assert lost is None or result.frames_lost == lost


def test_no_server_is_an_explained_error() -> None:
    with pytest.raises(Unreachable) as error:
        asyncio.run(place_call("ws://127.0.0.1:9", FRAMES))
    assert error.value.fault.kind == "refused"


def test_a_server_that_never_answers_the_handshake_is_given_up() -> None:
    async def main() -> None:
        async with await asyncio.start_server(lambda _reader, _writer: asyncio.sleep(30), "127.0.0.1", 0) as mute:
            port = mute.sockets[0].getsockname()[1]
            await place_call(f"ws://127.0.0.1:{port}", FRAMES, connect_timeout_s=0.3)

    with pytest.raises(Unreachable) as error:
        asyncio.run(main())
    assert error.value.fault.kind == "timeout"


def place(url: str, *, wav: Path | None = None, out: Path | None = None, json: bool = False) -> Exit:
    return call.run(CallOptions(url=url, wav=wav, out=out, seconds=0.2, json=json))


@pytest.mark.parametrize("rate", [8000, 16000, 24000])
def test_a_wav_goes_out_and_comes_back(rate: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said, heard = tmp_path / "in.wav", tmp_path / "out.wav"
    audio.write_wav(said, rate, audio.speech_like(0.19, rate))

    async def main() -> Exit:
        async with running() as server:
            return await asyncio.to_thread(place, f"{server.url}?sample-rate={rate}", wav=said, out=heard, json=True)

    assert asyncio.run(main()) == Exit.OK
    made = json.loads(capsys.readouterr().out)
    assert made["bit_exact"] is True
    assert made["frames"] == {"sent": 10, "received": 10, "lost": 0}
    assert set(made["round_trip_ms"]) == {"p50", "p95", "p99", "max"}
    with wave.open(str(heard)) as wav:
        assert (wav.getframerate(), wav.getnframes()) == (rate, rate // 5)
    assert audio.read_wav(heard)[1].startswith(audio.read_wav(said)[1])


def test_a_file_that_cannot_be_written_is_said_after_the_call(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> Exit:
        async with running() as server:
            return await asyncio.to_thread(place, server.url, out=Path("/proc/self/out.wav"))

    assert asyncio.run(main()) == Exit.PROBLEM
    said = capsys.readouterr().out
    assert "lost 0" in said
    assert "/proc/self/out.wav cannot be written" in said


def test_the_text_has_no_bar_and_no_escape_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> Exit:
        async with running(silent) as server:
            return await asyncio.to_thread(place, f"ws://key:hush@127.0.0.1:{server.port}?token=hush")

    assert asyncio.run(main()) == Exit.PROBLEM
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "hush" not in said
    assert "sent 10, received 0, lost 10" in said
    assert "❌ nothing came back" in said


@pytest.mark.parametrize(("encoding", "told"), [(Encoding.MULAW, "audio/x-mulaw"), (Encoding.ALAW, "audio/x-alaw")])
def test_a_call_in_g711_is_echoed_bit_for_bit_and_saved_as_pcm(encoding: Encoding, told: str) -> None:
    async def main() -> None:
        async with running() as server:
            result = await place_call(server.url, FRAMES, encoding=encoding, keep_audio=True)
            _, start, media, *_ = server.streams[0].received
        assert start["start"]["media_format"] == {"encoding": told, "sample_rate": "8000", "bit_rate": "64kbps"}
        assert base64.b64decode(media["media"]["payload"]) == encoding.encode(FRAMES[0])
        assert (result.bit_exact, result.bytes_sent, result.frames_lost) == (True, 1600, 0)
        assert result.audio == encoding.decode(encoding.encode(b"".join(FRAMES)))

    asyncio.run(main())


def test_a_call_in_g711_is_placed_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> Exit:
        async with running() as server:
            return await asyncio.to_thread(call.run, CallOptions(url=server.url, seconds=0.2, encoding="mulaw"))

    assert asyncio.run(main()) == Exit.OK
    told = capsys.readouterr().out
    assert "10 frames of 160 bytes" in told
    assert "bit-exact, 1600 bytes" in told
