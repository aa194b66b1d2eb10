"""State that the screens of the trace share (the trace, and how it is shown), and the page that each of them is."""

import dataclasses
import time
from collections.abc import Callable
from typing import ClassVar, Final

from exotel_phone.command import command
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer, Input, Static

from exotelctl.trace import look
from exotelctl.trace.calls import Trace
from exotelctl.trace.lines import Lines

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
        """The command that opens a saved call at this moment; "" where calls are live."""
        link = ("exotelctl", "trace", self.name, "--call", sid, "--at", f"{since_s:.3f}")
        return command(*link) if self.name else ""


class Page(Screen[None]):
    """A title, what is not complete, a header, lines with a cursor, a status line and the keys."""

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

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view
        self._not_before = 0.0

    def compose(self) -> ComposeResult:
        """The parts, from the top."""
        yield Static(id="title", markup=False)
        yield Static(id="doubts", markup=False)
        yield Static(id="header", markup=False)
        yield Lines(self.paint)
        yield Static(id="status", markup=False)
        yield Footer(show_command_palette=False)

    @property
    def lines(self) -> Lines:
        """The lines of this page."""
        return self.query_one(Lines)

    def on_mount(self) -> None:
        """The first look, and where calls are live one several times a second."""
        self.lines.focus()
        self.renew()
        if not self.view.name:
            self.set_interval(_RENEW_S, self._renew_live)

    def on_screen_resume(self) -> None:
        """Back from another page, which may have been up for long."""
        self._renew_seen()

    def on_resize(self) -> None:
        """Lines are as wide as the screen."""
        self._renew_seen()

    def _renew_live(self) -> None:
        began = time.monotonic()
        if self.is_current and not self.view.paused and began >= self._not_before:
            self.renew()
            # A ladder of an hour, expanded, takes its time: the keyboard gets most of it.
            self._not_before = began + (time.monotonic() - began) * _SHARE

    def _renew_seen(self) -> None:
        # A page is told of its size before it has its parts.
        if self.is_mounted:
            self.renew()

    def renew(self) -> None:
        """Show what is known by now."""
        raise NotImplementedError

    def paint(self, index: int, width: int) -> Text:
        """Line ``index`` of the page."""
        raise NotImplementedError

    def put(self, part: str, text: Text) -> None:
        """Show ``text`` in a part of the page; an empty part takes no room."""
        static = self.query_one(f"#{part}", Static)
        static.display = bool(text)
        static.update(text)

    def put_doubts(self, said: list[str]) -> None:
        """Show what is not complete, above everything else."""
        self.put("doubts", look.doubts(said))

    def action_leave(self) -> None:
        """Back to the page before, or out."""
        if len(self.app.screen_stack) > 2:
            self.app.pop_screen()
        else:
            self.app.exit()

    def action_help(self) -> None:
        """The keys, and all that is not complete."""
        self.app.push_screen(Help(Text(self.HELP)))


class Ask(ModalScreen[str | None]):
    """One line of input at the bottom: Enter gives it, Esc gives None."""

    DEFAULT_CSS = """
    Ask { align: center bottom; background: $background 0%; }
    Ask > Static { height: 1; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", show=False)]

    def __init__(self, question: str, value: str = "") -> None:
        super().__init__()
        self._question, self._value = question, value

    def compose(self) -> ComposeResult:
        """The question above its answer."""
        yield Static(self._question, markup=False)
        yield Input(self._value, select_on_focus=False, compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """The answer."""
        self.dismiss(event.value.strip())


class Help(ModalScreen[None]):
    """A text over the page; any of the keys that leave a page closes it."""

    DEFAULT_CSS = """
    Help { align: center middle; }
    Help > Static { width: auto; max-width: 78; height: auto; max-height: 22; padding: 0 1; border: round $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,escape,enter,question_mark", "dismiss", show=False)]

    def __init__(self, text: Text) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """The text."""
        yield Static(self._text, markup=False)
