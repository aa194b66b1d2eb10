"""The trace over two real workers: a call on each, one killed, and the server left as it was found."""

import asyncio
import base64
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from exotel_phone import audio
from exotel_phone.captures.records import Message, read
from exotel_phone.phone import Phone, place_call
from exotel_phone.target import parse
from exotelctl.capture.live import Filter
from exotelctl.trace import excerpt
from exotelctl.trace.app import TraceApp
from exotelctl.trace.call import AMPLE, Call, Limits
from exotelctl.trace.calls import Trace
from exotelctl.trace.calls_page import CallsPage
from exotelctl.trace.ladder_page import LadderPage
from exotelctl.trace.page import View
from exotelctl.trace.verb import feed
from textual.pilot import Pilot

from tests.protocol.process import ServerProcess

FRAMES = audio.frames(audio.speech_like(0.4, 8000), 8000)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[dict[str, ServerProcess]]:
    runtime = tmp_path / "run"
    runtime.mkdir()
    started: dict[str, ServerProcess] = {}
    try:
        for name in ("g1-1", "g1-2"):
            admin = ("--instance", name, "--admin-socket", str(runtime / f"{name}.sock"))
            started[name] = ServerProcess(tmp_path / name, {}, *admin)
            started[name].start()
        yield started
    finally:
        for worker in started.values():
            worker.kill()


async def _until(true: Callable[[], object], what: str) -> None:
    for _ in range(200):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within 10 s: {what}")


def _app(runtime: Path, trace: Trace, asked: Filter) -> TraceApp:
    return TraceApp(View(trace), feed=lambda: feed(trace, asked, runtime))


def _only_call(trace: Trace) -> Call:
    [call] = trace.calls.values()
    return call


def _audio(records: list[Any], side: str) -> bytes:
    said = [record.text for record in records if isinstance(record, Message) and record.from_ == side]
    return b"".join(base64.b64decode(text.split('"payload":"')[1].split('"')[0]) for text in said if '"payload"' in text)


async def _tracing(pilot: Pilot[Any], trace: Trace, workers: int) -> None:
    await _until(lambda: len(trace.sources) == workers, "every worker answers")
    await pilot.pause()


def test_a_live_call_is_watched_and_saved_with_its_audio(workers: dict[str, ServerProcess], tmp_path: Path) -> None:
    saved = tmp_path / "call.jsonl"

    async def run() -> bytes:
        trace = Trace(AMPLE)
        app = _app(tmp_path / "run", trace, Filter())
        async with app.run_test() as pilot:
            await _tracing(pilot, trace, 2)
            result = await place_call(f"ws://127.0.0.1:{workers['g1-2'].port}?sample-rate=8000", FRAMES, keep_audio=True)
            await _until(lambda: trace.calls and _only_call(trace).state == "ended", "the end of the call")
            call = _only_call(trace)
            assert (call.worker, call.call_sid, call.doubts()) == ("g1-2", result.ids.call_sid, [])
            assert call.frames == {"exotel": 20, "server": 20}
            excerpt.write(saved, excerpt.records(trace, call))
        return result.audio

    heard = asyncio.run(run())
    records = list(read(saved))
    assert records[-1].complete  # type: ignore[union-attr]
    assert _audio(records, "exotel") == b"".join(FRAMES)
    assert _audio(records, "server") == heard


def test_without_audio_it_is_known_how_much_was_said(workers: dict[str, ServerProcess], tmp_path: Path) -> None:
    async def run() -> None:
        trace = Trace(Limits())
        async with _app(tmp_path / "run", trace, Filter(audio="omit")).run_test() as pilot:
            await _tracing(pilot, trace, 2)
            await place_call(f"ws://127.0.0.1:{workers['g1-1'].port}", FRAMES)
            await _until(lambda: trace.calls and _only_call(trace).state == "ended", "the end of the call")
            await pilot.press("enter")
            await pilot.pause()
            assert isinstance(app_screen := pilot.app.screen, LadderPage)
            assert [row.label.split(",")[:2] for row in app_screen.rows if row.kind == "run"] == [["media × 20", " 0.40 s"]] * 2
            assert trace.characters < 10_000

    asyncio.run(run())


def test_a_worker_that_is_killed_is_said_and_the_others_call_goes_on(workers: dict[str, ServerProcess], tmp_path: Path) -> None:
    async def run() -> None:
        trace = Trace(Limits())
        async with _app(tmp_path / "run", trace, Filter(audio="omit")).run_test() as pilot:
            await _tracing(pilot, trace, 2)
            phones = [Phone(parse(f"ws://127.0.0.1:{workers[name].port}")) for name in ("g1-1", "g1-2")]
            for phone in phones:
                await phone.dial()
                await phone.play(FRAMES)
            await _until(lambda: len(trace.calls) == 2, "both calls")
            workers["g1-1"].process.send_signal(signal.SIGKILL)
            await _until(lambda: trace.remarks(), "the worker's end is noticed")
            before = phones[1].stream.ids.call_sid
            await phones[1].play(FRAMES)
            going = next(call for call in trace.calls.values() if call.call_sid == before)
            await _until(lambda: going.frames["exotel"] == 40, "the other call goes on")
            states = {call.worker: call.state for call in trace.calls.values()}
            assert states == {"g1-1": "lost", "g1-2": "live"}
            await pilot.pause(0.6)
            shown = "\n".join("".join(piece.text for piece in strip) for strip in pilot.app.screen._compositor.render_strips())
            assert "! worker g1-1 is not complete: worker g1-1 went away without a word" in shown
            assert "1 worker followed, 1 ended" in shown
            page = pilot.app.screen
            assert isinstance(page, CallsPage)
            assert page.paint(0, 80).plain.startswith("lost ")
            for phone in phones:
                await phone.drop()

    asyncio.run(run())


def test_taps_are_closed_on_quitting(workers: dict[str, ServerProcess], tmp_path: Path) -> None:
    """Taps are closed on quitting: a worker takes eight, so a ninth trace needs those before to have left."""

    async def run() -> None:
        for _ in range(9):
            trace = Trace(Limits())
            async with _app(tmp_path / "run", trace, Filter(audio="omit")).run_test() as pilot:
                await _tracing(pilot, trace, 2)
                await pilot.press("q")

    asyncio.run(run())
