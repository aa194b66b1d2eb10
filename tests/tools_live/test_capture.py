"""Captures of a real server's calls on both engines: taken, played again, compared."""

import asyncio
import base64
import json
import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from exotel_phone import audio
from exotel_phone.captures import compare, replay
from exotel_phone.captures.calls import load
from exotel_phone.captures.records import Capture, Close, Message, Open, Record
from exotel_phone.exits import Exit, Refusal
from exotel_phone.options import DiffOptions, ReplayOptions
from exotel_phone.phone import CallResult, Phone, place_call
from exotel_phone.target import parse
from exotelctl.capture.live import Filter, follow

from tests.protocol.process import ServerProcess, eventually, fetch_unix

from .echo_server import Message as Json
from .echo_server import Reply, Stream, running

FRAMES = audio.frames(audio.speech_like(0.4, 8000), 8000)
CAPTURE = """
import resource, sys
from pathlib import Path
from exotelctl.capture import verb
from exotelctl.options import CaptureOptions
options = {options!r}
if most_file := options.pop("most_file", 0):
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_file, most_file))
asked = {asked!r}
asked["all"] = not asked.keys() & {{"call", "number", "next"}}
sys.exit(verb.run(CaptureOptions(out=Path(sys.argv[1]), **asked, **options), Path(sys.argv[2])))
"""

Start = Callable[..., ServerProcess]


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """Return the engine of the workers, unless a test names another."""
    return str(getattr(request, "param", "picows"))


on_both_engines = pytest.mark.parametrize("engine", ["picows", "websockets"], indirect=True)


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """Return the directory of the workers' admin sockets."""
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


@pytest.fixture
def start_worker(runtime: Path, tmp_path: Path, engine: str) -> Iterator[Start]:
    with ExitStack() as stack:

        def start(name: str = "g-1", **settings: Any) -> ServerProcess:
            arguments = ("--instance", name, "--admin-socket", str(runtime / f"{name}.sock"))
            worker = ServerProcess(tmp_path / name, {"engine": engine, **settings}, *arguments)
            stack.callback(worker.kill)
            return worker.start()

        yield start


class Capturing:
    """Process of ``exotelctl capture``; `end` returns its exit code and its JSON."""

    def __init__(self, out: Path, runtime: Path, asked: dict[str, Any], **options: Any) -> None:
        defaults: dict[str, Any] = {"max_bytes": "50M", "seconds": 30.0, "force": False, "json": True}
        code = CAPTURE.format(options=defaults | options, asked=asked)
        command = [sys.executable, "-c", code, str(out), str(runtime)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def tapping(self, *workers: ServerProcess) -> "Capturing":
        """Wait until every worker has its tap."""
        for worker in workers:
            eventually(partial(_taps, worker), "the tap is there")
        return self

    def end(self) -> tuple[int, dict[str, Any]]:
        said, errors = self.process.communicate(timeout=40)
        assert said, errors
        return self.process.returncode, json.loads(said)


def _taps(worker: ServerProcess) -> int:
    arguments = worker.process.args
    assert isinstance(arguments, list)
    taps: int = fetch_unix(Path(str(arguments[arguments.index("--admin-socket") + 1])), "/status")[1]["taps"]
    return taps


StartCapture = Callable[..., Capturing]


@pytest.fixture
def capture(tmp_path: Path, runtime: Path) -> Iterator[StartCapture]:
    with ExitStack() as stack:

        def start(asked: dict[str, Any], out: str = "a.jsonl", **options: Any) -> Capturing:
            capturing = Capturing(tmp_path / out, runtime, asked, **options)
            stack.callback(lambda: capturing.process.poll() is None and capturing.process.kill())
            return capturing

        yield start


def call(worker: ServerProcess, frames: list[bytes] = FRAMES, *, pace: bool = False) -> CallResult:
    result = asyncio.run(place_call(worker.url(), frames, pace=pace))
    assert result.ok
    return result


def played(file: Path, url: str, *, speed: float = 0, out: Path | None = None, **options: Any) -> Exit:
    return replay.play_again(ReplayOptions(file=file, url=url, speed=speed, out=out, **options))


@on_both_engines
def test_a_recorded_call_replays_bit_exact(
    start_worker: Start, capture: StartCapture, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = start_worker()
    capturing = capture({"next": 1}).tapping(worker)
    result = call(worker, pace=True)
    code, said = capturing.end()
    assert (code, said["complete"], said["calls"]) == (0, True, [result.ids.call_sid])
    file, again = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    assert file.stat().st_mode & 0o777 == 0o600
    recorded = load(file)
    assert recorded.head.instance == "g-1"
    assert said["messages"] == recorded.end.messages == 2 * len(FRAMES) + 3

    assert compare.run(DiffOptions(file, file)) == Exit.OK
    assert capsys.readouterr().out == "", "a call and itself"
    assert played(file, worker.url("/"), speed=1, out=again) == Exit.OK
    assert f"bit-exact: the server answered as recorded, {len(FRAMES)} messages" in capsys.readouterr().out
    assert played(file, worker.url("/")) == Exit.OK
    (one,), (other,) = recorded.calls, load(again).calls
    assert [message.text for message in one.messages if message.from_ == "exotel"] == [
        message.text for message in other.messages if message.from_ == "exotel"
    ]
    assert other.close is not None
    assert (other.close.ended, other.opening.rate_asked) == ("stop", "8000")
    assert compare.run(DiffOptions(file, again)) == Exit.OK
    # The server saw the same pace, give or take what this machine was late.
    lengths = [(whole.messages[-1].at - whole.messages[0].at) for whole in (one, other)]
    assert lengths[1] > lengths[0] - 0.05


def rechunks(stream: Stream, message: Json, replies: list[Reply]) -> list[Reply]:
    """Send two frames in one message."""
    if message["event"] != "media":
        return replies
    held = vars(stream).setdefault("held", [])
    held.append(base64.b64decode(message["media"]["payload"]))
    if len(held) < 2:
        return []
    payload = base64.b64encode(b"".join(held)).decode()
    held.clear()
    return [{"event": "media", "stream_sid": stream.sid, "media": {"payload": payload}}]


def test_a_server_that_cuts_the_audio_differently_is_found_out(
    start_worker: Start, capture: StartCapture, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = start_worker()
    capturing = capture({"next": 1}).tapping(worker)
    call(worker)
    assert capturing.end()[0] == 0
    file, again = tmp_path / "a.jsonl", tmp_path / "b.jsonl"

    async def main() -> Exit:
        async with running(rechunks) as server:
            return await asyncio.to_thread(played, file, server.url, out=again)

    assert asyncio.run(main()) == Exit.PROBLEM
    said = capsys.readouterr().out
    expected = f"A has 320 bytes in a message, B 640, from byte 0 on; the audio is the same in {len(FRAMES) * 320} bytes"
    assert expected in said
    assert compare.run(DiffOptions(file, again, json=True)) == Exit.PROBLEM
    first = json.loads(capsys.readouterr().out)["calls"][0]["first"]
    assert (first["side"], first["message"], first["kind"], first["offset"], first["same_audio"]) == (
        "server",
        1,
        "media",
        0,
        True,
    )


@pytest.mark.parametrize("kept", ["noise", "omit"])
def test_a_capture_without_the_voice(
    kept: str, start_worker: Start, capture: StartCapture, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = start_worker()
    capturing = capture({"next": 1, "audio": kept, "mask": True}).tapping(worker)
    result = call(worker)
    assert capturing.end()[0] == 0
    text = (tmp_path / "a.jsonl").read_text()
    assert result.ids.from_ not in text
    assert not any(base64.b64encode(frame).decode() in text for frame in FRAMES if any(frame))
    if kept == "noise":
        assert played(tmp_path / "a.jsonl", worker.url("/")) == Exit.OK
        assert "bit-exact" in capsys.readouterr().out
    else:
        with pytest.raises(Exception, match="its audio was left out"):
            played(tmp_path / "a.jsonl", worker.url("/"))


def test_calls_of_two_workers_in_one_file_in_order(start_worker: Start, capture: StartCapture, tmp_path: Path) -> None:
    workers = [start_worker("g-1"), start_worker("g-2")]
    capturing = capture({"next": 2}).tapping(*workers)
    sids = [call(worker).ids.call_sid for worker in workers]
    code, said = capturing.end()
    assert (code, said["calls"]) == (0, sorted(sids))
    recorded = load(tmp_path / "a.jsonl")
    assert [whole.ids["call_sid"] for whole in recorded.calls] == sids
    assert [whole.opening.instance for whole in recorded.calls] == ["g-1", "g-2"]
    assert all(not whole.missing for whole in recorded.calls)


def test_a_worker_that_starts_later_is_followed_too(start_worker: Start, runtime: Path) -> None:
    start_worker("g-1")

    async def main() -> list[Record]:
        seen: list[Record] = []
        async for record in follow(Filter(), runtime=runtime):
            if isinstance(record, Capture) and not seen:
                late = await asyncio.to_thread(start_worker, "g-2")
            if isinstance(record, Capture) and record.instance == "g-2":
                await place_call(late.url(), FRAMES[:3], pace=False)
            seen.append(record)
            if isinstance(record, Close):
                return seen
        raise AssertionError("it ended")

    seen = asyncio.run(asyncio.wait_for(main(), 30))
    assert [record.instance for record in seen if isinstance(record, Capture | Open)] == ["g-1", "g-2", "g-2"]
    assert sum(isinstance(record, Message) for record in seen) == 9


def test_a_worker_that_is_started_anew_under_its_name_is_followed_again(start_worker: Start, runtime: Path) -> None:
    first = start_worker("g-1")

    async def main() -> list[Record]:
        seen: list[Record] = []
        async for record in follow(Filter(), runtime=runtime):
            seen.append(record)
            if isinstance(record, Capture) and len(seen) == 1:
                first.kill()
                await asyncio.to_thread(start_worker, "g-1")
            if isinstance(record, Capture) and len(seen) > 1:
                return seen
        raise AssertionError("it ended")

    seen = asyncio.run(asyncio.wait_for(main(), 30))
    assert [type(record).__name__ for record in seen] == ["Capture", "End", "Capture"]


@on_both_engines
def test_a_call_that_was_there_before(start_worker: Start, capture: StartCapture, tmp_path: Path) -> None:
    worker = start_worker()

    async def main() -> str:
        phone = Phone(parse(worker.url()))
        await phone.dial()
        await phone.play(FRAMES[:3], pace=False)
        await phone.settle(5)
        sid = phone.stream.ids.call_sid
        capturing = capture({"call": sid})
        await asyncio.to_thread(capturing.tapping, worker)
        await phone.play(FRAMES[3:5], pace=False)
        await phone.settle(5)
        await phone.hang_up()
        code, said = await asyncio.to_thread(capturing.end)
        assert (code, said["complete"]) == (1, False)
        assert said["why"] == "the call ended; a call was joined while it was going on"
        return sid

    sid = asyncio.run(main())
    (whole,) = load(tmp_path / "a.jsonl").calls
    assert (whole.name, whole.opening.joined, whole.missing) == (sid, True, "its beginning")
    assert len(whole.messages) == 5
    with pytest.raises(Exception, match="its beginning was not captured"):
        played(tmp_path / "a.jsonl", worker.url("/"))


@on_both_engines
def test_a_capture_that_is_stopped_reads_slowly_the_call_stays_perfect(
    start_worker: Start, capture: StartCapture, tmp_path: Path
) -> None:
    worker = start_worker()
    capturing = capture({"next": 1}, max_bytes="1G").tapping(worker)
    capturing.process.send_signal(signal.SIGSTOP)
    frames = [os.urandom(64_000) for _ in range(120)]
    try:
        call(worker, frames)
    finally:
        capturing.process.send_signal(signal.SIGCONT)
    code, said = capturing.end()
    assert (code, said["complete"]) == (1, False)
    assert "lost" in said["why"]
    (whole,) = load(tmp_path / "a.jsonl").calls
    assert whole.lost > 0
    assert whole.lost + len(whole.messages) == 2 * len(frames) + 3
    assert whole.close is not None


def test_it_ends_by_ctrl_c_with_a_valid_file(start_worker: Start, capture: StartCapture, tmp_path: Path) -> None:
    worker = start_worker()

    async def main() -> tuple[int, dict[str, Any]]:
        capturing = capture({})
        await asyncio.to_thread(capturing.tapping, worker)
        phone = Phone(parse(worker.url()))
        await phone.dial()
        await phone.play(FRAMES[:3], pace=False)
        await phone.settle(5)
        await asyncio.sleep(0.5)  # records held back to be put in order are not in the file
        capturing.process.send_signal(signal.SIGINT)
        ended = await asyncio.to_thread(capturing.end)
        await phone.hang_up()
        return ended

    code, said = asyncio.run(main())
    assert (code, said["why"]) == (1, "interrupted; 1 call went on")
    recorded = load(tmp_path / "a.jsonl")
    assert recorded.end.why == said["why"]
    assert len(recorded.calls[0].messages) == 8
    assert list(tmp_path.glob(".*")) == []


def test_it_ends_when_a_worker_is_killed_and_says_whose_call_that_was(
    start_worker: Start, capture: StartCapture, tmp_path: Path
) -> None:
    worker = start_worker()

    async def main() -> None:
        phone = Phone(parse(worker.url()))
        await phone.dial()
        await phone.play(FRAMES[:3], pace=False)
        await phone.settle(5)
        await asyncio.sleep(0.2)
        worker.kill()
        await phone.drop()

    capturing = capture({}, seconds=4.0).tapping(worker)
    asyncio.run(main())
    code, said = capturing.end()
    assert code == 1
    assert said["why"] == "4 s are over; 1 call cut off: worker g-1 went away without a word"


@pytest.mark.parametrize(
    ("asked", "options", "why"),
    [
        ({}, {"max_bytes": "10k"}, "the file is full (--max-bytes)"),
        ({"next": 1}, {"seconds": 0.7}, "0.7 s are over; 0 calls of 1 came"),
        ({"number": "0000"}, {"seconds": 0.7}, "0.7 s are over; no call came"),
    ],
)
def test_its_bounds(
    asked: dict[str, Any],
    options: dict[str, Any],
    why: str,
    start_worker: Start,
    capture: StartCapture,
    tmp_path: Path,
) -> None:
    worker = start_worker()
    capturing = capture(asked, **options)
    if "max_bytes" in options:
        capturing.tapping(worker)
        call(worker)
    code, said = capturing.end()
    assert code == 1
    assert said["why"].startswith(why)
    assert (tmp_path / "a.jsonl").stat().st_size < 10_500
    assert not load(tmp_path / "a.jsonl").end.complete


def test_a_full_disk_leaves_what_was_written(start_worker: Start, capture: StartCapture, tmp_path: Path) -> None:
    worker = start_worker()
    capturing = capture({"next": 1}, most_file=20_000).tapping(worker)
    call(worker)
    code, said = capturing.end()
    assert (code, said["complete"]) == (1, False)
    assert said["why"].startswith("writing failed: File too large; 1 call went on")
    recorded = load(tmp_path / "a.jsonl")
    assert "in the middle of line" in recorded.end.why
    assert len(recorded.calls[0].messages) == said["messages"] > 10


def test_the_socket_of_a_worker_that_is_gone_is_no_worker(start_worker: Start, runtime: Path) -> None:
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(str(runtime / "g0-1.sock"))  # and nobody listens, as after SIGKILL
    notices: list[str] = []

    async def main() -> None:
        async for _ in follow(Filter(), runtime=runtime, notice=notices.append):
            return

    with pytest.raises(Refusal, match="no worker of the server runs here"):
        asyncio.run(main())
    start_worker("g1-1")
    asyncio.run(main())
    assert notices == []


def test_where_no_worker_runs(tmp_path: Path, runtime: Path) -> None:
    async def main() -> None:
        async for _ in follow(Filter(), runtime=runtime):
            raise AssertionError("nothing can come")

    with pytest.raises(Refusal, match="no worker of the server runs here"):
        asyncio.run(main())


def test_a_replay_to_nowhere_leaves_no_file(
    start_worker: Start, capture: StartCapture, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = start_worker()
    capturing = capture({"next": 1}).tapping(worker)
    call(worker, FRAMES[:2])
    assert capturing.end()[0] == 0
    assert played(tmp_path / "a.jsonl", "ws://127.0.0.1:9", out=tmp_path / "b.jsonl") == Exit.PROBLEM
    assert "refused the connection" in capsys.readouterr().out
    assert not list(tmp_path.glob("*b.jsonl*"))
    with pytest.raises(Refusal, match="--i-own-this-server"):
        played(tmp_path / "a.jsonl", "ws://203.0.113.9:8765")


def replaying(file: Path, url: str, *options: str, **how: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "exotelctl", "replay", str(file), url, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)


def test_a_replay_on_a_full_disk_tells_its_verdict(start_worker: Start, capture: StartCapture, tmp_path: Path) -> None:
    worker = start_worker()
    capturing = capture({"next": 1}).tapping(worker)
    call(worker)
    assert capturing.end()[0] == 0
    with replaying(
        tmp_path / "a.jsonl",
        worker.url(),
        *("--speed", "0", "--out", str(tmp_path / "b.jsonl"), "--json"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)),
    ) as it:
        said, warned = it.communicate(timeout=40)
    assert (json.loads(said)["bit_exact"], json.loads(said)["file"]) == (True, None), warned
    assert "b.jsonl could not be written: File too large" in warned
    assert "Traceback" not in warned
    assert it.returncode == Exit.PROBLEM
    assert not list(tmp_path.glob("*b.jsonl*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_replay_that_is_stopped_leaves_no_file(
    number: signal.Signals, start_worker: Start, capture: StartCapture, tmp_path: Path
) -> None:
    worker = start_worker()
    capturing = capture({"next": 1}).tapping(worker)
    call(worker)
    assert capturing.end()[0] == 0
    with replaying(
        tmp_path / "a.jsonl",
        worker.url(),
        *("--speed", "0.001", "--out", str(tmp_path / "b.jsonl")),
        # A shell that runs the tests in the background has it ignored, which a program inherits and keeps.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as it:
        eventually(lambda: worker.metric("connections_live") > 0, "it plays")
        assert list(tmp_path.glob("*b.jsonl*"))
        it.send_signal(number)
        _, warned = it.communicate(timeout=40)
    assert it.returncode == 128 + number, warned
    assert "Traceback" not in warned
    assert not list(tmp_path.glob("*b.jsonl*"))
