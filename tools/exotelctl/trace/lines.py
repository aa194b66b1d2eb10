"""A list of lines with a cursor, painted only where it is seen: a ladder of an hour costs what its screenful costs."""

from collections.abc import Callable
from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

_CURSOR: Final = Style(reverse=True)


class Lines(ScrollView, can_focus=True, inherit_bindings=False):
    """``paint`` gives line ``index`` in ``width`` columns; `show` says how many there are and where the cursor is."""

    DEFAULT_CSS = "Lines { height: 1fr; overflow-x: hidden; scrollbar-gutter: stable; scrollbar-size-vertical: 1; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("home,g", "edge(0)", show=False),
        Binding("end,G", "edge(1)", show=False),
    ]

    class Chosen(Message):
        """A click on the line that has the cursor."""

    class Moved(Message):
        """A move of the cursor to another line."""

    def __init__(self, paint: Callable[[int, int], Text], *, with_cursor: bool = True) -> None:
        super().__init__()
        self.cursor = 0
        self._paint = paint
        self._count = 0
        self._with_cursor = with_cursor

    @property
    def at_end(self) -> bool:
        """Return True if the cursor is on the last line: more lines take it along."""
        return self.cursor >= self._count - 1

    def show(self, count: int, cursor: int) -> None:
        """Set the number of lines to ``count`` and the cursor to this one; paint all lines again."""
        self._count = count
        self.virtual_size = Size(self._room, count)
        self.cursor = max(0, min(cursor, count - 1))
        if self._with_cursor:
            self.scroll_to_region(Region(0, self.cursor, 1, 1), animate=False, immediate=True)
        else:
            # Without a cursor the keys scroll: what has it is the line that is on top.
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        self.refresh()

    @property
    def _room(self) -> int:
        """Return the columns beside the scrollbar."""
        return self.scrollable_content_region.width

    def render_line(self, y: int) -> Strip:
        """Return the line at ``y`` of what is seen."""
        index, width = self.scroll_offset.y + y, self._room
        if index >= self._count:
            return Strip.blank(width, self.rich_style)
        segments = self._paint(index, width).render(self.app.console)
        strip = Strip(Segment.apply_style(segments, self.rich_style)).crop_extend(0, width, self.rich_style)
        return strip.apply_style(_CURSOR) if self._with_cursor and index == self.cursor else strip

    def action_move(self, by: int) -> None:
        """Go one line up or down."""
        self._move_to(self.cursor + by)

    def action_page(self, by: int) -> None:
        """Go a screenful up or down."""
        self._move_to(self.cursor + by * max(1, self.size.height - 1))

    def action_edge(self, last: int) -> None:
        """Go to the first line or the last."""
        self._move_to(last * self._count)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor by a click; on the line that has it, choose it."""
        index = self.scroll_offset.y + event.y
        if index == self.cursor:
            self.post_message(self.Chosen())
        elif index < self._count:
            self._move_to(index)

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self.show(self._count, self.cursor)

    def _move_to(self, index: int) -> None:
        self.show(self._count, index)
        self.post_message(self.Moved())
