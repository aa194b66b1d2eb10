"""State that the screens of the trace share (the trace, and how it is shown), and the page that each of them is."""

import dataclasses
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Final

from exotel_phone.command import command
from exotel_phone.exits import Refusal, UsageFault
from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer, Static

from exotelctl.trace import excerpt
from exotelctl.trace.call import Call
from exotelctl.trace.calls import Trace
from exotelctl.trace.dialogs import Ask, Help
from exotelctl.trace.lines import Lines

FAULT: Final = "bold #ff5f5f"
_DOUBT: Final = "#e5c07b"
_MOST_DOUBTS: Final = 3
_RENEW_S: Final = 0.25
_SHARE: Final = 5
"""One part of the time in so many is spent on renewing a page, at most."""


@dataclasses.dataclass(slots=True)
class View:
    """The trace and what the user asked for. ``name`` is the capture file as a shell takes it, "" where calls are live.

    ``paused`` holds the screen; ``clock`` gives Unix seconds.
    """

    trace: Trace
    name: str = ""
    unmasked: bool = False
    paused: bool = False
    clock: Callable[[], float] = time.time

    def permalink(self, sid: str, since_s: float) -> str:
        """Return the command that opens a saved call at this moment; "" where calls are live."""
        link = ("exotelctl", "trace", self.name, "--call", sid, "--at", f"{since_s:.3f}")
        return command(*link) if self.name else ""


class Page(Screen[None]):
    """A title, what is not complete, a header, lines, a status line and the keys."""

    DEFAULT_CSS = """
    Page > Static { height: auto; padding: 0; text-wrap: nowrap; text-overflow: ellipsis; }
    Page > #title { background: $panel; }
    Page > #status { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape", "leave", "back", key_display="q"),
        Binding("question_mark", "help", "help", key_display="?"),
    ]
    HELP: ClassVar[str] = ""
    WITH_CURSOR: ClassVar[bool] = True

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view
        self._not_before = 0.0

    def compose(self) -> ComposeResult:
        """Give the parts, from the top."""
        yield Static(id="title", markup=False)
        yield Static(id="doubts", markup=False)
        yield Static(id="header", markup=False)
        yield Lines(self.paint, with_cursor=self.WITH_CURSOR)
        yield Static(id="status", markup=False)
        yield Footer(show_command_palette=False)

    @property
    def lines(self) -> Lines:
        """Return the lines of this page."""
        return self.query_one(Lines)

    def on_mount(self) -> None:
        """Look for the first time, and where calls are live several times a second."""
        self.lines.focus()
        self.renew()
        if not self.view.name:
            self.set_interval(_RENEW_S, self._renew_live)

    @on(events.ScreenResume)
    @on(events.Resize)
    def renew_seen(self) -> None:
        """Renew after another page, which may have been up for long, and in the width of the screen."""
        # A page is told of its size before it has its parts.
        if self.is_mounted:
            self.renew()

    def _renew_live(self) -> None:
        began = time.monotonic()
        if self.is_current and not self.view.paused and began >= self._not_before:
            self.renew()
            # A ladder of an hour, expanded, takes its time: the keyboard gets most of it.
            self._not_before = began + (time.monotonic() - began) * _SHARE

    def renew(self) -> None:
        """Show what is known by now."""
        raise NotImplementedError

    def paint(self, index: int, width: int) -> Text:
        """Return line ``index`` of the page."""
        raise NotImplementedError

    def put(self, part: str, text: Text) -> None:
        """Show ``text`` in a part of the page; an empty part takes no room."""
        static = self.query_one(f"#{part}", Static)
        static.display = bool(text)
        static.update(text)

    def put_doubts(self, said: Sequence[str], *, most: int = _MOST_DOUBTS, style: str = _DOUBT) -> None:
        """Show what is not complete, a line each, above everything else; beyond ``most`` only their number."""
        shown = said if len(said) <= most else [*said[: most - 1], f"and {len(said) - most + 1} more: ? shows them"]
        self.put("doubts", Text("\n".join(f"! {line}" for line in shown), style=style, no_wrap=True, overflow="ellipsis"))

    def action_leave(self) -> None:
        """Go back to the page before, or out."""
        if len(self.app.screen_stack) > 2:
            self.app.pop_screen()
        else:
            self.app.exit()

    def action_help(self) -> None:
        """Show the keys."""
        self.app.push_screen(Help(self.HELP))


class ListPage(Page):
    """A page whose lines are looked through: opened, filtered by what is ``wanted``, held, and their call saved."""

    QUESTION: ClassVar[str]

    def __init__(self, view: View, wanted: str = "") -> None:
        super().__init__(view)
        self.wanted = wanted

    def call_to_save(self) -> Call | None:
        """Return the call under the cursor."""
        raise NotImplementedError

    def action_open(self) -> None:
        """Open the line under the cursor."""
        raise NotImplementedError

    def on_lines_chosen(self) -> None:
        """Open it by a click, as by Enter."""
        self.action_open()

    def put_status(self, words: list[str], link: str = "") -> None:
        """Show ``words``, that the screen is held, and the ``link`` to what is under the cursor."""
        self.put("status", Text(f"{', '.join(words)}{'  PAUSED: p goes on' * self.view.paused}  {link}"))

    def action_pause(self) -> None:
        """Hold the screen, or go on."""
        self.view.paused = not self.view.paused
        self.renew()

    def action_filter(self) -> None:
        """Ask which lines are wanted."""
        self.app.push_screen(Ask(self.QUESTION, self.wanted), self._filter)

    def _filter(self, wanted: str | None) -> None:
        if wanted is not None:
            self.wanted = wanted
            self.renew()

    def action_save(self) -> None:
        """Ask for the name of a new file, and write the call as it is known when the name is given."""
        if call := self.call_to_save():
            sid = re.sub(r"[^A-Za-z0-9_.-]", "", call.call_sid or call.conn)[:40]
            question = Ask("save the call as (a new file, for your eyes only):", f"call-{sid}.jsonl")
            self.app.push_screen(question, lambda name: self._save(call, name))

    def _save(self, call: Call, name: str | None) -> None:
        if not name:
            return
        try:
            size = excerpt.write(Path(name), excerpt.records(self.view.trace, call))
        except (UsageFault, Refusal) as fault:
            self.notify(str(fault), severity="error", markup=False)
            return
        doubts = call.doubts()
        words = f"saved, {size} bytes: {name}" + (f" (not complete: {'; '.join(doubts)})" if doubts else "")
        self.notify(words, severity="warning" if doubts else "information", markup=False)
