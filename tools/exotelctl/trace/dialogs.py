"""Dialogs over a page of the trace: a question of one line, and the help."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input, Static


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
        """Put the question above its answer."""
        yield Static(self._question, markup=False)
        yield Input(self._value, select_on_focus=False, compact=True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Give the answer."""
        self.dismiss(event.value.strip())


class Help(ModalScreen[None]):
    """A text over the page; any of the keys that leave a page closes it."""

    DEFAULT_CSS = """
    Help { align: center middle; }
    Help > Static { width: auto; max-width: 78; height: auto; max-height: 22; padding: 0 1; border: round $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,escape,enter,question_mark", "dismiss", show=False)]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def compose(self) -> ComposeResult:
        """Show the text."""
        yield Static(self._text, markup=False)
