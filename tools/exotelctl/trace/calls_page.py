"""The first page: all calls, one a line."""

from typing import ClassVar

from exotel_phone.text import plural
from rich.text import Text
from textual.binding import Binding, BindingType

from exotelctl.trace import look, report
from exotelctl.trace.call import Call
from exotelctl.trace.calls import Trace
from exotelctl.trace.ladder_page import LadderPage
from exotelctl.trace.lines import Lines
from exotelctl.trace.page import Ask, Page, View
from exotelctl.trace.saving import ask_and_save


class CallsPage(Page):
    """The list; the cursor stays on its call while others come and go."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "ladder", key_display="⏎"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("s", "save", "save"),
        Binding("p", "pause", "pause"),
        Binding("q", "leave", "quit"),
    ]
    HELP = (
        "up down PgUp PgDn Home End   move\n"
        "Enter   the ladder of the call\n"
        "/       only calls with this in a sid or a number; empty: all\n"
        "s       save the call as a capture file\n"
        "p       hold the screen; what happens meanwhile is not lost\n"
        "q       quit\n\n"
        "in, out   media messages from Exotel and to it\n"
        "!3        three faults seen in the call\n"
        "lost      the capture ended before the call did"
    )

    def __init__(self, view: View, wanted: str = "") -> None:
        super().__init__(view)
        self.wanted = wanted
        self._shown: list[Call] = []
        self._under = ""

    @property
    def selected(self) -> Call | None:
        """The call under the cursor."""
        return self._shown[self.lines.cursor] if self._shown else None

    def renew(self) -> None:
        """The calls as they are now."""
        if self._shown:
            self._under = self._shown[self.lines.cursor].conn
        trace, view = self.view.trace, self.view
        self._shown = trace.find(self.wanted)
        live = sum(call.state == "live" for call in self._shown)
        where = view.name or "live calls"
        self.put("title", Text(f"exotelctl trace  {where}: {report.capture_words(trace)}"))
        self.put_doubts(trace.remarks())
        self.put("header", look.calls_header())
        words = [plural(len(self._shown), "call"), f"{live} live"]
        words += [_followed(trace)] if not view.name else []
        words += [f"with {self.wanted!r} of {len(trace.calls)}"] if self.wanted else []
        self.put("status", Text(", ".join(words) + "  PAUSED: p goes on" * view.paused))
        under = next((index for index, call in enumerate(self._shown) if call.conn == self._under), self.lines.cursor)
        self.lines.show(len(self._shown), under)

    def paint(self, index: int, width: int) -> Text:
        """A call."""
        return look.call_line(self._shown[index], self.view.clock(), unmasked=self.view.unmasked)

    def on_lines_chosen(self, _event: Lines.Chosen) -> None:
        """Open the chosen call, as Enter does."""
        self.action_open()

    def action_open(self) -> None:
        """The ladder of the call."""
        if self.selected is not None:
            self.app.push_screen(LadderPage(self.view, self.selected))

    def action_filter(self) -> None:
        """Only some of the calls."""
        self.app.push_screen(Ask("calls with this in a sid or a number (empty: all):", self.wanted), self._filtered)

    def action_save(self) -> None:
        """The call as a file."""
        if self.selected is not None:
            ask_and_save(self.app, self.view.trace, self.selected)

    def action_pause(self) -> None:
        """Hold the screen, or go on."""
        self.view.paused = not self.view.paused
        self.renew()

    def _filtered(self, wanted: str | None) -> None:
        if wanted is not None:
            self.wanted = wanted
            self.renew()


def _followed(trace: Trace) -> str:
    going = sum(source.complete is None for source in trace.sources.values())
    return f"{plural(going, 'worker')} followed" + (f", {len(trace.sources) - going} ended" if going < len(trace.sources) else "")
