"""The third page: one message as it was on the wire, but for what must not be shown."""

import math
from typing import ClassVar

from exotel_phone.captures.calls import decode
from exotel_phone.captures.records import Message
from exotel_ws.encodings import Encoding
from rich.text import Text
from textual.binding import Binding, BindingType

from exotelctl.trace import level, message
from exotelctl.trace.call import Call
from exotelctl.trace.page import FAULT, Page, View


class MessagePage(Page):
    """A message; left and right go to the one before and after it. ``found`` is False where none is kept from ``number`` on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "before", key_display="←"),
        Binding("right", "step(1)", "after", key_display="→"),
    ]
    HELP = (
        "left right   the message before and after it\n"
        "up down      scroll\n"
        "q            back to the ladder\n\n"
        "The payload is shortened, numbers are masked unless --numbers was said,\n"
        "values of custom parameters are never shown."
    )
    WITH_CURSOR = False

    def __init__(self, view: View, call: Call, number: int) -> None:
        super().__init__(view)
        self._call = call
        self._messages = [(moment, record) for moment in call.kept() if isinstance(record := moment.record, Message)]
        self._index = next((index for index, (moment, _) in enumerate(self._messages) if moment.number >= number), -1)
        self._body: list[str] = []

    @property
    def found(self) -> bool:
        """Return True if there is a message to show."""
        return self._index >= 0

    def renew(self) -> None:
        """Show the message."""
        moment, record = self._messages[self._index]
        gap = "" if moment.gap_s is None else f", {moment.gap_s * 1000:.1f} ms after the one before of this side"
        who = "from Exotel" if record.from_ == "exotel" else "from the server"
        self.put("title", Text(f"{moment.kind} {who}, at {record.at - self._call.opened:.6f} s{gap}"))
        self.put_doubts(moment.faults, most=len(moment.faults), style=FAULT)
        self._body = _body(record, self._call.encoding, unmasked=self.view.unmasked)
        self.put("header", Text())
        self.put("status", Text(f"message {self._index + 1} of {len(self._messages)} that are kept"))
        self.lines.show(len(self._body), 0)

    def paint(self, index: int, width: int) -> Text:
        """Return a line of the message."""
        return Text(self._body[index], no_wrap=True)

    def action_step(self, by: int) -> None:
        """Go to the message before or after."""
        self._index = max(0, min(self._index + by, len(self._messages) - 1))
        self.renew()


def _body(record: Message, encoding: Encoding, *, unmasked: bool) -> list[str]:
    document = None if record.binary else decode(record.text)
    if document is None:
        return [message.raw(record.text, unmasked=unmasked) or message.label(None, record)]
    lines = message.pretty(document, omitted=record.omitted, unmasked=unmasked)
    return [*lines, "", *_audio(document, record.omitted, encoding)] if document.get("event") == "media" else lines


def _audio(document: message.Document, omitted: int, encoding: Encoding) -> list[str]:
    size = message.audio_bytes(document, omitted)
    if omitted:
        return [f"audio  {size} bytes, left out of this capture"]
    db = level.level_db(message.payload_of(document), encoding)
    if db is None:
        return ["audio  not base64 of 16-bit samples"]
    said = "digital silence" if math.isinf(db) else f"{db:.1f} dB of full scale"
    return [f"audio  {size} bytes", f"level  {level.bar(db)}  {said}"]
