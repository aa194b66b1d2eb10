"""Write the report of a load: one self-contained HTML file, for a light or a dark screen, for paper, for an attachment."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from exotel_phone.load.chart import Line, chart
from exotel_phone.load.histogram import ERROR
from exotel_phone.load.result import Result, headline, parameters
from exotel_phone.load.series import Row

_STYLE = """
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--text:#1c2430;--soft:#5b6675;--rule:#dde2e8;
--good:#14733b;--bad:#b3261e;--odd:#8a5a00;--p50:#1f6feb;--p95:#b26a00;--p99:#c2255c;--most:#7b8794;--calls:#1f6feb;--fail:#b3261e}
@media (prefers-color-scheme:dark){:root{--page:#0f1318;--card:#181e26;--text:#e4e9ef;--soft:#97a3b1;--rule:#2c3540;
--good:#56d38a;--bad:#ff8a80;--odd:#f0b429;--p50:#6cb0ff;--p95:#f0b429;--p99:#ff7eb0;--most:#8794a3;--calls:#6cb0ff;--fail:#ff8a80}}
*{box-sizing:border-box}
body{margin:0 auto;padding:24px;max-width:960px;background:var(--page);color:var(--text);font:15px/1.5 system-ui,sans-serif}
h1{font-size:22px;margin:0 0 4px}h2{font-size:15px;margin:0 0 4px}
p{margin:4px 0}.soft{color:var(--soft)}code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}
header,figure,section{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:16px 20px;margin:0 0 16px}
header{border-left:6px solid var(--mark)}.perfect{--mark:var(--good)}.imperfect{--mark:var(--bad)}.unfit{--mark:var(--odd)}
header h1{color:var(--mark)}li{margin:6px 0}ul{padding-left:20px;margin:10px 0 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin-top:14px}
.tiles div{border-top:1px solid var(--rule);padding-top:8px}.tiles b{display:block;font-size:21px;font-weight:600}
.tiles span{color:var(--soft);font-size:13px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:5px 8px;border-bottom:1px solid var(--rule);font-weight:400}
th:first-child,td:first-child{text-align:left;padding-left:0}thead th{color:var(--soft);font-size:13px}
tr:last-child td{border-bottom:0}.pair td{text-align:left}.pair td:first-child{color:var(--soft);width:11em}
svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font-size:12px}
.y{text-anchor:end}.x{text-anchor:middle}.rule{stroke:var(--rule);fill:none}
.line{fill:none;stroke-width:1.8;stroke-linecap:round;stroke-linejoin:round}
.legend{font-size:13px;color:var(--soft)}.key{margin-right:16px}
.key::before{content:"";display:inline-block;width:14px;height:3px;border-radius:2px;margin:0 6px 4px 0;background:currentColor}
.key{color:var(--ink)}.line{stroke:var(--ink)}
.p50{--ink:var(--p50)}.p95{--ink:var(--p95)}.p99{--ink:var(--p99)}.most{--ink:var(--most)}
.calls{--ink:var(--calls)}.fail{--ink:var(--fail)}
details summary{cursor:pointer;font-weight:600}details div{overflow-x:auto;margin-top:8px}
"""

_CHARTS = (
    (
        "Round trip (logarithmic)",
        "ms",
        (("p50", "p50", "p50"), ("p95", "p95", "p95"), ("p99", "p99", "p99"), ("max", "most", "most")),
    ),
    ("Calls", "", (("calls up", "calls", "live"), ("refused or dropped in that second", "fail", "failed"))),
    (
        "Connect, and how late this machine was itself (logarithmic)",
        "ms",
        (("slowest connect of the second", "p50", "connect"), ("this machine's own lateness, p99", "most", "late")),
    ),
)
"""Title and unit of each chart, and of each line in it the name, the class that colours it, and the field of `Row`.

Times are drawn logarithmically.
"""


def write(result: Result, file: Path, force: bool) -> None:
    """Write the report in one step: a reader sees a whole file or none. Raises OSError, also if ``file`` was made meanwhile."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as out:
            out.write(html(result))
        os.chmod(name, 0o644)
        publish = os.replace if force else os.link
        publish(name, file)
    finally:
        Path(name).unlink(missing_ok=True)


def html(result: Result) -> str:
    """Return the whole page."""
    target, verdict = result.plan.target.shown, result.verdict
    body = [_header(result), *_charts(result.rows), *_tables(result)]
    if result.tally.notes:
        notes = "".join(f"<li><code>{escape(note)}</code></li>" for note in result.tally.notes)
        body.append(f"<section><h2>Examples of what went wrong</h2><ul>{notes}</ul></section>")
    body.append(_seconds(result.rows))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Load: {escape(target)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>\n'
        f'<body class="{verdict.kind}">\n' + "\n".join(body) + "\n</body></html>\n"
    )


def _header(result: Result) -> str:
    tally = result.tally
    reasons = "".join(
        f"<li>{escape(reason.cause)}<br><span class='soft'>next: {escape(reason.next)}</span></li>"
        for reason in result.verdict.reasons
    )
    tiles = {
        "calls perfect": f"{tally.perfect} of {tally.placed}",
        "frames lost": f"{tally.lost} of {tally.of('media').sent}",
        "round trip, p50": _ms(tally.round_trip.percentile(50)),
        "round trip, p99": _ms(tally.round_trip.percentile(99)),
        "connect, p99": _ms(tally.connect.percentile(99)),
    }
    shown = "".join(f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in tiles.items())
    when = f"{result.began:%Y-%m-%d %H:%M:%S} UTC, {result.lasted_s:.1f} s"
    return (
        f"<header><h1>{escape(headline(result.verdict, tally))}</h1><p><code>{escape(result.plan.target.shown)}</code></p>"
        f"<p class='soft'>{escape(when)}</p>{f'<ul>{reasons}</ul>' if reasons else ''}<div class='tiles'>{shown}</div></header>"
    )


def _charts(rows: Sequence[Row]) -> Iterator[str]:
    seconds = [row.second for row in rows]
    for title, unit, fields in _CHARTS:
        lines = [Line(name, css, [getattr(row, field) for row in rows]) for name, css, field in fields]
        yield chart(title, seconds, lines, unit=unit, log=bool(unit))


def _tables(result: Result) -> Iterator[str]:
    tally = result.tally
    calls = [("placed", tally.placed), ("perfect", tally.perfect), ("kept up, but with frames lost or wrong", tally.faulty)]
    calls += [(f"dropped: {how}", count) for how, count in tally.dropped.most_common()]
    calls += [(f"refused: {why}", count) for why, count in tally.refused.most_common()]
    yield _table("Calls by outcome", ("outcome", "calls"), calls)
    messages = [
        (kind, counts.sent, *((counts.echoed, counts.lost) if kind == "media" else ("", "")), counts.unexpected)
        for kind, counts in tally.messages.items()  # only audio is echoed
    ]
    yield _table("Messages", ("kind", "sent", "echoed", "lost", "unexpected"), messages)
    named = {"round trip": tally.round_trip, "connect": tally.connect, "this machine's own lateness": tally.late}
    times = [
        (name, histogram.count, *(map(_number, found.values()) if (found := histogram.summary()) else ["-"] * 4))
        for name, histogram in named.items()
    ]
    note = f"Percentiles to within {ERROR:.0%}, maxima exact."
    yield _table("Times in ms", ("", "measured", "p50", "p95", "p99", "max"), times, note)
    yield _table("What was asked for", (), list(parameters(result.plan).items()))


def _seconds(rows: Sequence[Row]) -> str:
    columns = ("second", "calls", "p50", "p95", "p99", "max", "connect", "own lateness", "lost", "failed")
    body = [
        (row.second, row.live, *map(_number, (row.p50, row.p95, row.p99, row.most, row.connect, row.late)), row.lost, row.failed)
        for row in rows
    ]
    return f"<section><details><summary>Second by second</summary><div>{_grid(columns, body)}</div></details></section>"


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], note: str = "") -> str:
    soft = f"<p class='soft'>{escape(note)}</p>" if note else ""
    return f"<section><h2>{escape(title)}</h2>{_grid(columns, rows)}{soft}</section>"


def _grid(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    if not head:
        return f"<table class='pair'><tbody>{body}</tbody></table>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"
