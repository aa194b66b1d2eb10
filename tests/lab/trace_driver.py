"""Drive ``exotelctl trace`` over a live call by Textual's pilot, on the host that has the call; print the result as JSON.

$ sudo /opt/exotel-ws/current/bin/python trace_driver.py READY_FILE CAPTURE_FILE
Once every worker is followed it makes READY_FILE: the call may come then.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from exotelctl import admin
from exotelctl.capture.live import Filter
from exotelctl.trace.app import TraceApp
from exotelctl.trace.call import AMPLE, Call
from exotelctl.trace.calls import Trace
from exotelctl.trace.calls_page import CallsPage
from exotelctl.trace.ladder_page import LadderPage
from exotelctl.trace.message_page import MessagePage
from exotelctl.trace.page import Page, View
from exotelctl.trace.verb import feed
from textual.pilot import Pilot
from textual.widgets import Input

Kind = TypeVar("Kind", CallsPage, LadderPage, MessagePage)


async def drive(ready: Path, saved: Path) -> dict[str, object]:
    """Go from the list over the ladder to a message during the call; after its end, save it."""
    trace = Trace(AMPLE)
    app = TraceApp(View(trace), feed=lambda: feed(trace, Filter()))
    seen: dict[str, object] = {}
    async with app.run_test() as pilot:
        await until(lambda: trace.sources and set(trace.sources) == set(admin.sockets()), "every worker is followed")
        await asyncio.to_thread(ready.touch)
        await until(lambda: any(call.frames["server"] for call in trace.calls.values()), "a call")
        call = next(iter(trace.calls.values()))
        await pilot.pause(0.5)
        seen["list"] = lines(page(pilot, CallsPage))[0]
        await press(pilot, "enter")
        ladder = page(pilot, LadderPage)
        await until(lambda: any(row.kind == "run" and row.count >= 50 for row in ladder.rows), "the ladder grows")
        seen["live"] = [line.strip() for line in lines(ladder)]
        await press(pilot, "home", "down", "down", "m")
        seen["message"] = lines(page(pilot, MessagePage))
        await press(pilot, "q")
        await until(lambda: call.state == "ended", "the call ends")
        await pilot.pause(0.5)
        seen["ladder"] = [line.strip() for line in lines(ladder)]
        seen["call"] = facts(call)
        await press(pilot, "s")
        app.screen.query_one(Input).value = str(saved)
        await press(pilot, "enter", "q", "q")
    return seen


def facts(call: Call) -> dict[str, object]:
    """Return the model's facts of the call."""
    return {
        "call_sid": call.call_sid,
        "state": call.state,
        "how": call.how_it_ended,
        "frames": call.frames,
        "faults": call.faults,
        "doubts": call.doubts(),
    }


def lines(page: Page) -> list[str]:
    """Return all lines of a page."""
    return [page.paint(index, 80).plain for index in range(page.lines.virtual_size.height)]


def page(pilot: Pilot[Any], kind: type[Kind]) -> Kind:
    """Return the visible page, which has to be of this kind."""
    assert isinstance(pilot.app.screen, kind), pilot.app.screen
    return pilot.app.screen


async def press(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys one after the other, and wait for the effect of each."""
    for key in keys:
        await pilot.press(key)
        await pilot.pause()


async def until(true: Callable[[], object], what: str) -> None:
    """Wait, 30 s at most."""
    for _ in range(600):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not within 30 s: {what}")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(drive(Path(sys.argv[1]), Path(sys.argv[2])))))
