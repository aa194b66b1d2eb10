"""The application, driven by Textual's pilot over a saved capture, in 80 columns and 24 lines."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from exotel_phone.captures.records import Message, Open, read
from exotelctl.trace.app import TraceApp
from exotelctl.trace.call import Limits
from exotelctl.trace.calls import Trace
from exotelctl.trace.calls_page import CallsPage
from exotelctl.trace.dialogs import Help
from exotelctl.trace.ladder_page import LadderPage
from exotelctl.trace.message_page import MessagePage
from exotelctl.trace.page import Page, View
from exotelctl.trace.verb import load
from textual.pilot import Pilot
from textual.widgets import Input

from tests.unit.tools.trace_calls import BEGAN, HEADER, Teller, capture, told, write


def _faulty() -> Teller:
    teller = Teller("conn_2", call_sid="b0b1b2", sid="stream-2")
    teller.begins()
    teller.talks(20)
    teller.talks(1, gap_s=0.3)
    teller.talks(19)
    teller.says('{"event":"mark","streamSid":"stream-2","mark":{"name":"[red]m[/red]\\u001b[31m"}}', "server")
    teller.says('{"event":"wow"}')
    teller.closes("no_stop")
    return teller


def _drive(tmp_path: Path, script: Callable[[Pilot[Any], TraceApp], Awaitable[None]], **options: Any) -> None:
    path = write(tmp_path / "two.jsonl", capture(told(frames=20), _faulty().records))

    async def run() -> None:
        app = TraceApp(View(load(path), str(path)), **options)
        async with app.run_test(notifications=True) as pilot:
            await pilot.pause()
            await script(pilot, app)

    asyncio.run(run())


async def _press(pilot: Pilot[Any], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


async def _answer(pilot: Pilot[Any], app: TraceApp, text: str) -> None:
    """Answer the open question."""
    app.screen.query_one(Input).value = text
    await _press(pilot, "enter")


def _seen(app: TraceApp) -> str:
    """Return the screen as text."""
    return "\n".join("".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips())


def _cursor(app: TraceApp) -> str:
    page = app.screen
    assert isinstance(page, Page)
    return page.paint(page.lines.cursor, 80).plain


def test_the_list_the_ladder_and_back(tmp_path: Path) -> None:
    async def script(pilot: Pilot[Any], app: TraceApp) -> None:
        assert isinstance(app.screen, CallsPage)
        assert "ended a950c8dab… 098•••••210 020•••••678 0:00    20     20         stop 1006" in _seen(app)
        assert "!4  no_stop 1006" in _seen(app)
        await _press(pilot, "down", "enter")
        assert isinstance(app.screen, LadderPage)
        assert "call b0b1b2, dropped without stop (1006)" in _seen(app)
        assert r"mark [red]m[/red]\x1b[31m ! camelCase streamSid" in _seen(app)
        await _press(pilot, "q")
        assert isinstance(app.screen, CallsPage)
        assert "b0b1b2" in _cursor(app)
        await _press(pilot, "q")
        assert not app.is_running or app._exit

    _drive(tmp_path, script)


def test_everything_that_is_said_fits_80_columns(tmp_path: Path) -> None:
    async def script(pilot: Pilot[Any], app: TraceApp) -> None:
        for keys in (["down"], ["enter"], ["e"], ["end"], ["enter"], ["question_mark"]):
            await _press(pilot, *keys)
            lines = _seen(app).split("\n")
            assert len(lines) == 24
            assert {len(line) for line in lines} == {80}
        assert isinstance(app.screen, Help)

    _drive(tmp_path, script)


def test_filter_of_the_list(tmp_path: Path) -> None:
    async def script(pilot: Pilot[Any], app: TraceApp) -> None:
        await _press(pilot, "slash", *"b0b", "enter")
        assert "1 call, 0 live, with 'b0b' of 2" in _seen(app)
        assert "a950c8dabf74" not in _seen(app)
        await _press(pilot, "slash", *["backspace"] * 3, *"9876543210", "enter")
        assert "2 calls" in _seen(app)
        await _press(pilot, "slash", *"zz", "escape")
        assert "2 calls" in _seen(app)
        await _press(pilot, "slash", *"zz", "enter", "enter", "s")
        assert isinstance(app.screen, CallsPage)
        assert "0 calls" in _seen(app)

    _drive(tmp_path, script)


def test_expand_next_fault_and_filter_of_a_ladder(tmp_path: Path) -> None:
    async def script(pilot: Pilot[Any], app: TraceApp) -> None:
        page = app.screen
        assert isinstance(page, LadderPage)
        folded = len(page.rows)
        await _press(pilot, "n")
        assert "media × 20, 0.40 s" in _cursor(app)
        assert "gap 300 ms" in _cursor(app) or "! gap" in _cursor(app)
        await _press(pilot, "e")
        assert len(page.rows) == folded + 80
        assert "media × 20, 0.40 s" in _cursor(app)
        await _press(pilot, "e", "slash", *"fault", "enter")
        assert [row.kind for row in page.rows] == ["run", "mark", "unknown", "close"]
        await _press(pilot, "n", "n", "n", "n")
        assert page.lines.cursor == 0

    _drive(tmp_path, script, wanted="b0b1b2")


def test_a_message_itself(tmp_path: Path) -> None:
    async def script(pilot: Pilot[Any], app: TraceApp) -> None:
        await _press(pilot, "down", "down", "enter")
        assert isinstance(app.screen, MessagePage)
        assert "start from Exotel, at 0.002000 s, 1.0 ms after the one before" in _seen(app)
        assert '"from": "098•••••210"' in _seen(app)
        assert '"token": "(hidden, 12 characters)"' in _seen(app)
        await _press(pilot, "right")
        assert "media from Exotel" in _seen(app)
        assert "(428 characters)" in _seen(app)
        assert "dB of full scale" in _seen(app)
        await _press(pilot, "right")
        assert "media from the server" in _seen(app)
        await _press(pilot, "left", "left", "left", "left", "left")
        assert "connected from Exotel" in _seen(app)
        await _press(pilot, "escape")
        assert isinstance(app.screen, LadderPage)
        await _press(pilot, "home", "m")
        assert isinstance(app.screen, LadderPage), "an event is no message"

    _drive(tmp_path, script, wanted="b0b1b2")


def test_a_moment_opens_the_ladder_there(tmp_path: Path) -> None:
    async def script(pilot: Pilot[Any], app: TraceApp) -> None:
        assert isinstance(app.screen, LadderPage)
        assert "media × 20" in _cursor(app)
        assert "--call b0b1b2 --at 0.7" in app.screen.query_one("#status").render().plain  # type: ignore[union-attr]

    _drive(tmp_path, script, wanted="b0b1b2", at_s=1.0)


def test_save_from_the_list(tmp_path: Path) -> None:
    target = tmp_path / "saved.jsonl"

    async def script(pilot: Pilot[Any], app: TraceApp) -> None:
        await _press(pilot, "down", "s")
        assert "call-b0b1b2.jsonl" in _seen(app)
        await _answer(pilot, app, str(target))
        assert "saved, " in _seen(app)
        await _press(pilot, "s")
        await _answer(pilot, app, str(target))
        assert "choose another name" in _seen(app).replace("\n", " ")
        await _press(pilot, "s", "escape")

    _drive(tmp_path, script)
    assert list(read(target))[1:-1] == _faulty().records


def test_live_calls_come_in_and_p_holds_the_screen(tmp_path: Path) -> None:
    async def run() -> None:
        trace = Trace(Limits())
        left = asyncio.Event()

        async def feed() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                left.set()

        app = TraceApp(View(trace, clock=lambda: BEGAN + 65), feed=feed)
        async with app.run_test(notifications=True) as pilot:
            assert "no worker has answered yet" in _seen(app)
            trace.take(HEADER)
            trace.take(Open(BEGAN, "conn_1", instance="g1-1"))
            await _until(pilot, lambda: "live  conn_1" in _seen(app))
            assert "1:05" in _seen(app)
            await _press(pilot, "enter")
            trace.take(Message(BEGAN + 1, "conn_1", "exotel", '{"event":"connected"}\n'))
            await _until(pilot, lambda: "│ connected" in _seen(app))
            await _press(pilot, "p")
            trace.take(Message(BEGAN + 1, "conn_1", "exotel", '{"event":"dtmf","digit":"7"}\n'))
            await pilot.pause(0.6)
            assert "dtmf" not in _seen(app)
            assert "PAUSED" in _seen(app)
            await _press(pilot, "p")
            await _until(pilot, lambda: "│ dtmf 7" in _seen(app))
            trace.notices.append("worker g1-2 can't be tapped: Permission denied")
            await _press(pilot, "q")
            await _until(pilot, lambda: "! worker g1-2 can't be tapped: Permission denied" in _seen(app))
        assert left.is_set(), "the feed has to end with the application"

    asyncio.run(run())


async def _until(pilot: Pilot[Any], true: Callable[[], bool]) -> None:
    for _ in range(100):
        if true():
            return
        await pilot.pause(0.05)
    raise AssertionError(_seen(pilot.app))  # type: ignore[arg-type]
