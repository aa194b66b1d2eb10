"""Draw lines over time as inline SVG: no script, no font, colours by CSS class, so that a page can be light or dark."""

import dataclasses
import itertools
import math
from collections.abc import Sequence
from html import escape

_WIDTH, _HEIGHT = 880, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 26
_X_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900)
_X_TICKS = 12
_LOG_STEPS = (1, 2, 5)


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """One line: ``values`` by position, None where there is none; ``css`` is the class that colours it."""

    name: str
    css: str
    values: Sequence[float | None]


@dataclasses.dataclass(frozen=True, slots=True)
class Scale:
    """Axis that maps values to heights. ``ticks`` are the values to draw a line at, the least and the greatest included."""

    ticks: Sequence[float]
    logarithmic: bool

    def part(self, value: float) -> float:
        """Return the place of ``value`` between the least (0) and the greatest tick (1)."""
        low, high = self.ticks[0], self.ticks[-1]
        if not self.logarithmic:
            return (value - low) / (high - low)
        return math.log(max(value, low) / low) / math.log(high / low)


def linear(most: float) -> Scale:
    """Return an axis from 0 to at least ``most`` in about four round steps; whole numbers if ``most`` is small."""
    rough = max(most, 1) / 4
    base = 10.0 ** math.floor(math.log10(rough))
    step = max(1.0, next(base * factor for factor in (1, 2, 5, 10) if base * factor >= rough))
    return Scale([step * number for number in range(math.ceil(max(most, 1) / step) + 1)], logarithmic=False)


def logarithmic(least: float, most: float) -> Scale:
    """Return an axis from ``least`` or less to ``most`` or more, both above 0, in steps of 1, 2, 5; of 10 if those were many."""
    low, high = math.floor(math.log10(least)), math.ceil(math.log10(most))
    fine = [step * 10.0**decade for decade in range(low, high + 2) for step in _LOG_STEPS]
    first = max(0, sum(tick <= least for tick in fine) - 1)
    last = next(place for place, tick in enumerate(fine) if tick >= most and place > first)
    if last - first <= 8:
        return Scale(fine[first : last + 1], logarithmic=True)
    return Scale([10.0**decade for decade in range(low, high + 1)], logarithmic=True)


def chart(title: str, seconds: Sequence[int], lines: Sequence[Line], *, unit: str, log: bool = False) -> str:
    """Return ``lines`` over ``seconds`` as a figure with its legend; a sentence if there is nothing to draw.

    Values are not negative; with ``log`` 0 is drawn at the bottom.
    """
    values = [value for line in lines for value in line.values if value is not None]
    legend = "".join(f'<span class="key {escape(line.css)}">{escape(line.name)}</span>' for line in lines)
    heading = f"<h2>{escape(title)}</h2><p class='legend'>{legend}</p>"
    if not values:
        return f"<figure>{heading}<p>Nothing was measured.</p></figure>"
    above = [value for value in values if value > 0] or [1.0]
    scale = logarithmic(min(above), max(above)) if log else linear(max(values))
    first, last = seconds[0], max(seconds[-1], seconds[0] + 1)

    def x(second: float) -> float:
        return _LEFT + (second - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - scale.part(value) * (_HEIGHT - _TOP - _BOTTOM)

    parts = []
    for tick in scale.ticks:
        label = escape(f"{tick:g} {unit}".strip())
        parts.append(f'<path class="rule" d="M{_LEFT} {y(tick):.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="y" x="{_LEFT - 8}" y="{y(tick) + 4:.1f}">{label}</text>')
    step = next((step for step in _X_STEPS if (last - first) / step <= _X_TICKS), _X_STEPS[-1])
    for second in range(math.ceil(first / step) * step, last + 1, step):
        clock = f"{second // 60}:{second % 60:02d}"
        parts.append(f'<text class="x" x="{x(second):.1f}" y="{_HEIGHT - 6}">{clock}</text>')
    for line in lines:
        points = [(x(at), None if value is None else y(value)) for at, value in zip(seconds, line.values, strict=True)]
        parts.append(f'<path class="line {escape(line.css)}" d="{_path(points)}"><title>{escape(line.name)}</title></path>')
    svg = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
    return f"<figure>{heading}{svg}</figure>"


def _path(points: Sequence[tuple[float, float | None]]) -> str:
    """Return a line through the points, broken where one is missing; a lone point is a dot, by the round ends of the line."""
    runs = (run for has, run in itertools.groupby(points, key=lambda point: point[1] is not None) if has)
    return "".join("M" + "L".join(f"{across:.1f} {height:.1f}" for across, height in run) + "h0" for run in runs)
