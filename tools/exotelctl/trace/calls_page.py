"""The first page: all calls, one a line."""

from collections.abc import Iterable
from typing import ClassVar, Final

from exotel_phone.text import plural, printable
from rich.text import Text
from textual.binding import Binding, BindingType

from exotelctl.trace import message, report
from exotelctl.trace.call import Call
from exotelctl.trace.calls import Trace
from exotelctl.trace.ladder_page import LadderPage
from exotelctl.trace.page import FAULT, ListPage, View

_STATES: Final = {"live": "#98c379", "ended": "#9a9a9a", "lost": "#e5c07b"}
_COLUMNS: Final = {"state": 5, "call sid": 10, "from": 11, "to": 11, "age": 7, "in": 6, "out": 6, "!": 3}


class CallsPage(ListPage):
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
    QUESTION = "calls with this in a sid or a number (empty: all):"

    def __init__(self, view: View, wanted: str = "") -> None:
        super().__init__(view, wanted)
        self._shown: list[Call] = []
        self._under = ""

    def call_to_save(self) -> Call | None:
        """Return the call under the cursor."""
        return self._shown[self.lines.cursor] if self._shown else None

    def renew(self) -> None:
        """Show the calls as they are now."""
        if call := self.call_to_save():
            self._under = call.conn
        trace, name = self.view.trace, self.view.name
        self._shown = trace.find(self.wanted)
        self.put("title", Text(f"exotelctl trace  {name or 'live calls'}: {report.capture_words(trace)}"))
        self.put_doubts(trace.remarks())
        self.put("header", _line((column, "bold") for column in _COLUMNS).append("last / ended", "bold"))
        words = [plural(len(self._shown), "call"), f"{sum(call.state == 'live' for call in self._shown)} live"]
        words += [_followed(trace)] if not name else []
        words += [f"with {self.wanted!r} of {len(trace.calls)}"] if self.wanted else []
        self.put_status(words)
        under = next((index for index, call in enumerate(self._shown) if call.conn == self._under), self.lines.cursor)
        self.lines.show(len(self._shown), under)

    def paint(self, index: int, width: int) -> Text:
        """Return a call as a line."""
        call, unmasked = self._shown[index], self.view.unmasked
        line = _line(
            [
                (call.state, _STATES[call.state]),
                (printable(call.call_sid or call.conn, 60), ""),
                (message.shown_number(call.number_from, unmasked), ""),
                (message.shown_number(call.number_to, unmasked), ""),
                (_age(call, self.view.clock()), ""),
                (str(call.frames["exotel"]), ""),
                (str(call.frames["server"]), ""),
                (f"!{call.faults}" if call.faults else "", FAULT),
            ]
        )
        if call.closed is None:
            return line.append(printable(call.last_kind, 20))
        return line.append(printable(call.ended, 20) + (f" {call.code}" if call.code else ""), FAULT if call.ended_badly else "")

    def action_open(self) -> None:
        """Open the ladder of the call."""
        if call := self.call_to_save():
            self.app.push_screen(LadderPage(self.view, call))


def _line(cells: Iterable[tuple[str, str]]) -> Text:
    """Return texts with their styles, each in the width of its column."""
    line = Text(no_wrap=True)
    for (text, style), width in zip(cells, _COLUMNS.values(), strict=True):
        cell = Text(text, style)
        cell.truncate(width, overflow="ellipsis", pad=True)
        line.append_text(cell).append(" ")
    return line


def _age(call: Call, now: float) -> str:
    """Return ``1:05`` or ``1:02:05``; with ``>`` in front if the call is older than that, because it was joined late."""
    seconds = (now if call.state == "live" else call.last_at) - call.opened
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{'>' * call.joined}{f'{hours}:{minutes:02}' if hours else minutes}:{rest:02}"


def _followed(trace: Trace) -> str:
    going = sum(source.complete is None for source in trace.sources.values())
    return f"{plural(going, 'worker')} followed" + (f", {len(trace.sources) - going} ended" if going < len(trace.sources) else "")
