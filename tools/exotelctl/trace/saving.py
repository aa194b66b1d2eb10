"""Saving a call from the screen: asks for a name, and says what was written or why not."""

import re
from pathlib import Path
from typing import Any

from exotel_phone.exits import Refusal, UsageFault
from textual.app import App

from exotelctl.trace import excerpt
from exotelctl.trace.call import Call
from exotelctl.trace.calls import Trace
from exotelctl.trace.page import Ask


def ask_and_save(app: App[Any], trace: Trace, call: Call) -> None:
    """Ask for the name of a new file; write the call as it is known when the name is given."""

    def named(name: str | None) -> None:
        if not name:
            return
        try:
            size = excerpt.write(Path(name), excerpt.records(trace, call))
        except (UsageFault, Refusal) as fault:
            app.notify(str(fault), severity="error", markup=False)
            return
        doubts = call.doubts()
        words = f"saved, {size} bytes: {name}" + (f" (not complete: {'; '.join(doubts)})" if doubts else "")
        app.notify(words, severity="warning" if doubts else "information", markup=False)

    app.push_screen(Ask("save the call as (a new file, for your eyes only):", _suggestion(call)), named)


def _suggestion(call: Call) -> str:
    sid = re.sub(r"[^A-Za-z0-9_.-]", "", call.call_sid or call.conn)[:40]
    return f"call-{sid}.jsonl"
