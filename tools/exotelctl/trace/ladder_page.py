"""The second page: one call as a ladder."""

from typing import ClassVar, Final

from exotel_phone.text import plural
from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType

from exotelctl.trace import ladder, report
from exotelctl.trace.call import Call
from exotelctl.trace.ladder import Row
from exotelctl.trace.lines import Lines
from exotelctl.trace.message_page import MessagePage
from exotelctl.trace.page import FAULT, ListPage, View

_SHORT: Final = 12
_MEDIA: Final = {"exotel": "#56c8d8", "server": "#7aa2f7"}
_KINDS: Final = {
    "connected": "#98c379",
    "start": "bold #98c379",
    "stop": "bold #98c379",
    "mark": "#c89bf0",
    "clear": "#e5c07b",
    "dtmf": "bold #ffffff",
    "open": "#9a9a9a",
    "close": "#9a9a9a",
}


class LadderPage(ListPage):
    """The ladder; the cursor stays on its row, and on the last one it goes along with what comes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m,enter", "open", "message", key_display="⏎"),
        Binding("e", "expand", "expand"),
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("n", "next_fault", "next fault"),
        Binding("s", "save", "save"),
        Binding("p", "pause", "pause"),
    ]
    HELP = (
        "up down PgUp PgDn Home End   move; on the last row the view follows\n"
        "Enter, m   the message itself\n"
        "e          runs of media as single messages, and back\n"
        "/          only rows of a kind or with a word; fault: those with one\n"
        "n          the next row with a fault\n"
        "s          save the call as a capture file\n"
        "p          hold the screen; what happens meanwhile is not lost\n"
        "q          back to the calls\n\n"
        "gap ms     since the message before of the same side\n"
        "red        a fault: media more than 60 ms late, camelCase names,\n"
        "           an unknown event, an end without stop, messages missing"
    )
    QUESTION = "rows of this kind or with this word, fault (empty: all):"

    def __init__(self, view: View, call: Call, at_s: float | None = None) -> None:
        super().__init__(view)
        self.call = call
        self.expanded = False
        self.rows: list[Row] = []
        self._at_s = at_s
        self._seen: tuple[object, ...] = ()

    def call_to_save(self) -> Call:
        """Return the call of the ladder."""
        return self.call

    @property
    def selected(self) -> Row | None:
        """Return the row under the cursor."""
        return self.rows[self.lines.cursor] if self.rows else None

    def renew(self) -> None:
        """Show the call as it is now; make the rows again only if something has come, or others are asked for."""
        call = self.call
        self.put("title", Text("\n".join(report.heading(call, unmasked=self.view.unmasked))))
        self.put_doubts(call.doubts())
        self.put("header", Text(ladder.header(self.size.width - 1), style="bold", no_wrap=True))
        seen = (call.version, self.expanded, self.wanted)
        if self._seen != seen:
            self._seen = seen
            self._renew_rows()
        self.show_status()

    def paint(self, index: int, width: int) -> Text:
        """Return a row as a line."""
        row = self.rows[index]
        style = _MEDIA.get(row.sender, "") if row.kind in ("media", "run") else _KINDS.get(row.kind, "")
        line = Text(ladder.line(row, width), no_wrap=True)
        line.stylize(FAULT if row.faults else style, ladder.MARGIN)
        return line

    def action_open(self) -> None:
        """Open the message of the row, of a run the first one that is kept."""
        row = self.selected
        if row is None:
            return
        if not row.sender:
            self.notify(row.label, markup=False)
        elif (page := MessagePage(self.view, self.call, row.number)).found:
            self.app.push_screen(page)
        else:
            self.notify("the messages of this run are no longer kept: memory is bounded", severity="warning", markup=False)

    def action_expand(self) -> None:
        """Show runs of media as single messages, and back."""
        self.expanded = not self.expanded
        self.renew()

    def action_next_fault(self) -> None:
        """Go to the next row with a fault, from the end on to the first one."""
        after = self.lines.cursor + 1
        faulty = [index for index, row in enumerate(self.rows) if row.faults]
        if faulty:
            self.lines.show(len(self.rows), next((index for index in faulty if index >= after), faulty[0]))
            self.show_status()

    def _renew_rows(self) -> None:
        row, follow = self.selected, bool(self.rows) and self.lines.at_end and self.call.state == "live"
        rows = ladder.rows(self.call, expanded=self.expanded, unmasked=self.view.unmasked)
        self.rows = ladder.matching(rows, self.wanted) if self.wanted else rows
        if self._at_s is not None:
            cursor, self._at_s = ladder.at_or_before(self.rows, self._at_s), None
        elif row is None:
            cursor = 0
        else:
            cursor = len(self.rows) if follow else ladder.same_or_before(self.rows, row)
        self.lines.show(len(self.rows), cursor)

    @on(Lines.Moved)
    def show_status(self) -> None:
        """Show where the cursor is."""
        row = self.selected
        words = [plural(len(self.rows), "row")]
        words += [f"with {self.wanted!r}"] if self.wanted else []
        words += [f"at {row.since_s:.3f} s"] if row else []
        self.put_status(words, self.view.permalink(self._short_sid(), row.since_s) if row else "")

    def _short_sid(self) -> str:
        """Return as much of the sid as tells this call from the others."""
        sid = self.call.call_sid or self.call.conn
        return sid[:_SHORT] if len(self.view.trace.find(sid[:_SHORT])) == 1 else sid
