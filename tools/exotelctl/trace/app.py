"""The application that opens the first page, and feeds the trace while it runs."""

from collections.abc import Awaitable, Callable

from textual.app import App

from exotelctl.trace.calls_page import CallsPage
from exotelctl.trace.ladder_page import LadderPage
from exotelctl.trace.page import View

Feed = Callable[[], Awaitable[None]]


class TraceApp(App[None]):
    """The application. ``feed`` fills the trace while it runs, and is cancelled when it ends; None if all is in it already.

    ``wanted`` filters the calls. Where exactly one is left its ladder opens, at ``at_s`` seconds.
    """

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, view: View, *, feed: Feed | None = None, wanted: str = "", at_s: float | None = None) -> None:
        super().__init__()
        self.view = view
        self._feed, self._wanted, self._at_s = feed, wanted, at_s

    def on_mount(self) -> None:
        """Open the first page, and begin to feed."""
        self.push_screen(CallsPage(self.view, self._wanted))
        calls = self.view.trace.find(self._wanted)
        if len(calls) == 1 and (self._wanted or self._at_s is not None):
            self.push_screen(LadderPage(self.view, calls[0], self._at_s))
        if self._feed is not None:
            self.run_worker(self._feed())
