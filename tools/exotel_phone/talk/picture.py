"""Draw a call to a bot: the caller above, the bot below as it was heard, and between them the latencies."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from exotel_phone.talk import sound
from exotel_phone.talk.call import Call, Said
from exotel_phone.talk.measure import figures, latency
from exotel_phone.talk.playback import seconds
from exotel_phone.talk.report import figures_ms, spoken_text
from exotel_phone.text import printable

PAPER: Final = "#ffffff"
INK: Final = "#1f2328"
FAINT: Final = "#8c959f"
RULE: Final = "#e4e7eb"
CALLER: Final = "#0b57d0"
CALLER_BAND: Final = "#dce8fb"
BOT: Final = "#137333"
BOT_BAND: Final = "#dff1e3"
CUT: Final = "#e3a5a0"
CUT_BAND: Final = "#fbeceb"
GAP: Final = "#f9ab00"
ALARM: Final = "#c5221f"

LEFT: Final = 84
_RIGHT: Final = 36
_WIDTHS: Final = (1200, 8000)
_PX_PER_S: Final = 64
CALLER_LANE: Final = (150, 250)
BOT_LANE: Final = (340, 440)
"""Top and bottom of the waveforms."""
_BETWEEN: Final = (276, 302)
"""Heights of the latency marks; the second for one that has no room in the first."""
_WORDS_ABOVE, _WORDS_BELOW, _AXIS, _HEIGHT = 90, 450, 540, 582
_LINES_ABOVE, _LINES_BELOW = 3, 4
_LINE: Final = 18
_QUIETEST: Final = 3000
"""Least full scale of a lane, so that a quiet one is not drawn as if it were loud."""
_STEPS: Final = (1, 2, 5, 10, 15, 30, 60)
_TICK_PX: Final = 60


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """A latency from ``begins`` to ``ends``, in seconds from ``start``."""

    begins: float
    ends: float
    name: str
    colour: str


def spans(call: Call) -> list[Span]:
    """Return the latencies to mark between the waveforms, in the order of time."""
    measured, found = figures(call), []
    if measured.greeting is not None:
        found.append(Span(0, measured.greeting, "greeting", INK))
    for said in call.said:
        took = latency(call, said)
        if took is not None:
            ends = call.at(said.ends)
            found.append(Span(ends, ends + took, "", INK if said.pcm else CALLER))
    for one in measured.barge_ins:
        begins = call.at(one.said.begins)
        if one.seconds is not None:
            found.append(Span(begins, begins + one.seconds, "clear", ALARM))
    return sorted(found, key=lambda span: span.begins)


def draw(call: Call, title: str) -> Image.Image:
    """Return the picture of ``call``; ``title`` names the server."""
    return _Picture(call).of(title)


class _Picture:
    """Draws one call; ``x`` turns seconds from ``start`` into pixels."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._length_s = max(call.at(call.end.at), 1.0)
        least, most = _WIDTHS
        self._width = min(most, max(least, LEFT + _RIGHT + math.ceil(self._length_s * _PX_PER_S)))
        self._scale = (self._width - LEFT - _RIGHT) / self._length_s
        self._image = Image.new("RGB", (self._width, _HEIGHT), PAPER)
        self._draw = ImageDraw.Draw(self._image)
        self._font, self._bold = ImageFont.load_default(14), ImageFont.load_default(19)

    def x(self, at_s: float) -> float:
        return LEFT + at_s * self._scale

    def of(self, title: str) -> Image.Image:
        self._heading(title)
        self._axis()
        self._caller()
        self._bot()
        self._latencies()
        return self._image

    def _heading(self, title: str) -> None:
        call = self._call
        what = f"{printable(title, 90)}   {call.rate} Hz, {self._length_s:.1f} s"
        self._draw.text((16, 14), what, fill=INK, font=self._bold)
        rows = [f"{name.replace('→', 'to')}: {value}" for name, value in figures_ms(figures(call))]
        self._draw.text((16, 46), "     ".join(rows) or "nothing was measured", fill=FAINT, font=self._font)

    def _axis(self) -> None:
        step = next((step for step in _STEPS if step * self._scale >= _TICK_PX), _STEPS[-1])
        for second in range(0, math.floor(self._length_s) + 1, step):
            x = self.x(second)
            self._draw.line((x, CALLER_LANE[0], x, _AXIS), fill=RULE)
            self._draw.text((x, _AXIS + 6), f"{second} s", fill=FAINT, font=self._font, anchor="ma")
        end = self.x(self._length_s)
        self._draw.line((end, CALLER_LANE[0], end, _AXIS), fill=FAINT, width=2)
        by = f"ended by the {'bot' if self._call.end.by_bot else 'caller'}"
        self._draw.text((end, _AXIS + 22), by, fill=FAINT, font=self._font, anchor="ra")
        for name, (top, bottom), colour in (("caller", CALLER_LANE, CALLER), ("bot", BOT_LANE, BOT)):
            middle = (top + bottom) / 2
            self._draw.line((LEFT, middle, end, middle), fill=RULE)
            self._draw.text((16, middle), name, fill=colour, font=self._bold, anchor="lm")

    def _caller(self) -> None:
        said = self._call.said
        begins = [self._call.at(one.begins) for one in said]
        loudest = max((sound.peak(sound.samples(one.pcm)) for one in said), default=0)
        for one, begin in zip(said, begins, strict=True):
            if one.pcm:
                self._wave(one.pcm, begin, CALLER_LANE, CALLER, CALLER_BAND, loudest)
            else:
                self._keys(one, begin)
        texts = [one.turn.shown if one.pcm else "" for one in said]
        self._words(texts, begins, _WORDS_ABOVE, _LINES_ABOVE, CALLER, upwards=True)

    def _keys(self, said: Said, begin: float) -> None:
        middle = sum(CALLER_LANE) / 2
        half = self._font.getlength(said.turn.dtmf) / 2 + 9
        x = self.x(begin)
        self._draw.rounded_rectangle((x - half, middle - 14, x + half, middle + 14), 7, fill=CALLER)
        self._draw.text((x, middle), said.turn.dtmf, fill=PAPER, font=self._font, anchor="mm")

    def _bot(self) -> None:
        call, spoken = self._call, self._call.spoken
        loudest = max((sound.peak(sound.samples(one.pcm)) for one in spoken), default=0)
        for one in spoken:
            self._wave(one.cut, call.at(one.ends), BOT_LANE, CUT, CUT_BAND, loudest)
        for one in spoken:
            self._wave(one.pcm, call.at(one.begins), BOT_LANE, BOT, BOT_BAND, loudest)
            for at, length_s in one.gaps:
                left, right = self.x(call.at(at)), self.x(call.at(at) + length_s)
                self._draw.rectangle((left, BOT_LANE[0], max(right, left + 1), BOT_LANE[1]), fill=GAP)
        for clear in call.clears:
            x = self.x(call.at(clear.at))
            self._draw.line((x, BOT_LANE[0] - 8, x, BOT_LANE[1] + 4), fill=ALARM, width=2)
        begins = [call.at(one.begins) for one in spoken]
        self._words([spoken_text(one) for one in spoken], begins, _WORDS_BELOW, _LINES_BELOW, BOT, upwards=False)

    def _wave(self, pcm: bytes, begin: float, lane: tuple[int, int], ink: str, band: str, loudest: int) -> None:
        """Draw ``pcm`` from ``begin`` on: its band, and of each pixel's samples the least and the greatest."""
        if not pcm:
            return
        rate = self._call.rate
        left, right = self.x(begin), self.x(min(begin + seconds(pcm, rate), self._length_s))
        self._draw.rectangle((left, lane[0], right, lane[1]), fill=band)
        values = sound.samples(pcm)
        middle, half = (lane[0] + lane[1]) / 2, (lane[1] - lane[0]) / 2 - 3
        per_px = rate / self._scale
        for column in range(int(right - left)):
            part = values[int(column * per_px) : int((column + 1) * per_px)]
            if part:
                top, bottom = (middle - half * value / max(loudest, _QUIETEST) for value in (max(part), min(part)))
                self._draw.line((left + column, top, left + column, bottom), fill=ink)

    def _words(self, texts: Sequence[str], begins: Sequence[float], top: int, lines: int, colour: str, *, upwards: bool) -> None:
        """Draw each text from its begin to the next one's, in at most so many lines; ``upwards``: the last line lowest."""
        rights = [*(self.x(begin) for begin in begins[1:]), self._width - 8]  # one more where there is no text
        for text, begin, right in zip(texts, begins, rights, strict=False):
            wrapped = self._wrapped(text, max(right - self.x(begin) - 8, 0), lines)
            first = top + (lines - len(wrapped)) * _LINE if upwards else top
            for number, line in enumerate(wrapped):
                self._draw.text((self.x(begin), first + number * _LINE), line, fill=colour, font=self._font)

    def _wrapped(self, text: str, width: float, most: int) -> list[str]:
        """Return ``text`` in lines of at most ``width`` pixels; the rest is replaced by "…"."""
        words, lines = printable(text, 400).split(), [""]
        for word in words:
            longer = f"{lines[-1]} {word}".strip()
            if self._font.getlength(longer) <= width:
                lines[-1] = longer
            elif len(lines) < most and lines[-1]:
                lines.append(word)
            else:
                lines[-1] += "…"
                break
        while lines[-1] and self._font.getlength(lines[-1]) > width:
            lines[-1] = lines[-1].rstrip("…")[:-1] + "…" if len(lines[-1]) > 1 else ""
        return [line for line in lines if line]

    def _latencies(self) -> None:
        """Draw each span as a bracket with its ms at its right, at the first height with room for it."""
        free, labels = [0.0] * len(_BETWEEN), []
        for span in spans(self._call):
            left, right = self.x(span.begins), max(self.x(span.ends), self.x(span.begins) + 2)
            label = f"{span.name} {(span.ends - span.begins) * 1000:.0f} ms".strip()
            row = next((row for row, until in enumerate(free) if until <= left), len(free) - 1)
            y = _BETWEEN[row]
            free[row] = right + self._font.getlength(label) + 16
            self._draw.line((left, CALLER_LANE[1] + 4, left, y), fill=span.colour)
            self._draw.line((right, y, right, BOT_LANE[0] - 4), fill=span.colour)
            self._draw.line((left, y, right, y), fill=span.colour, width=3)
            labels.append((right + 6, y, label, span.colour))
        for left, y, label, colour in labels:  # above the lines of other spans
            self._draw.rectangle(self._draw.textbbox((left, y), label, font=self._font, anchor="lm"), fill=PAPER)
            self._draw.text((left, y), label, fill=colour, font=self._font, anchor="lm")
