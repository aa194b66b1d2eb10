"""Judge what an attack did by its goals, and write the tables for docs/performance.md."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.edge import calls, newcomers, paced

GOAL_P99_MS: Final = 20.0
GOAL_HAPROXY_MB: Final = 256.0
GOAL_SERVER_MB: Final = 32.0
NEW_CALLS: Final = 20
NOT_SAID: Final = ("most_open", "seconds", "cpu_s")
TITLES: Final = {
    "none": "no attack",
    "hellos": "5,000 TLS handshakes begun a second",
    "silent": "10,000 silent TCP connections to the TLS port",
    "silent-tls": "silent TLS connections",
    "slowloris": "slowloris",
    "half-requests": "half requests",
    "big-headers": "1 MB headers",
    "renegotiation": "TLS renegotiation",
    "bad-keys": "wrong keys from one source",
}


@dataclass(frozen=True)
class Memory:
    """Memory of a program in MiB: with the calls up and nothing else, and the most of it from then on."""

    before_mb: float
    most_mb: float

    @property
    def more_mb(self) -> float:
        """Return what the attack added."""
        return self.most_mb - self.before_mb


@dataclass(frozen=True)
class Seen:
    """Figures of one attack. ``attacker`` is what became of its connections."""

    calls: calls.Report
    known: newcomers.Report
    unknown: newcomers.Report
    haproxy: Memory
    server: Memory
    haproxy_busy: float
    """Share of a core that HAProxy used during the attack."""
    attacker: Mapping[str, float]

    def missed(self) -> list[str]:
        """Return the goals that are not reached."""
        goals = {
            f"p99 {self.calls.p99_ms:.1f} ms": self.calls.p99_ms < GOAL_P99_MS,
            f"{self.calls.lost} frames lost": self.calls.lost == 0,
            f"{self.calls.perfect} of {self.calls.placed} calls perfect": self.calls.perfect == self.calls.placed > 0,
            f"{self.known.admitted} new calls of a known source": self.known.admitted == NEW_CALLS and not self.known.refused,
            f"{self.unknown.admitted} new calls of an unknown source": self.unknown.admitted == NEW_CALLS,
            f"HAProxy took {self.haproxy.more_mb:.0f} MB more": self.haproxy.more_mb < GOAL_HAPROXY_MB,
            f"the server took {self.server.more_mb:.0f} MB more": self.server.more_mb < GOAL_SERVER_MB,
        }
        return [name for name, reached in goals.items() if not reached]


def attacks_table(seen: Mapping[str, Seen]) -> str:
    """Return what was seen as a Markdown table."""
    lines = [
        "| for 10 s, beside 100 calls | p50, p99 ms: quiet | attacked | frames lost | HAProxy | server "
        "| known source | unknown one, after | the attacker's connections |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_row(TITLES[attack], one) for attack, one in seen.items())])


def _row(title: str, seen: Seen) -> str:
    calls_, known, unknown = seen.calls, seen.known, seen.unknown
    cells = [
        title,
        f"{calls_.quiet_p50_ms:.2f}, {calls_.quiet_p99_ms:.2f}",
        f"{calls_.p50_ms:.2f}, {calls_.p99_ms:.2f}",
        f"{calls_.lost} of {calls_.frames}",
        f"{seen.haproxy.before_mb:.0f} → {seen.haproxy.most_mb:.0f} MB, {seen.haproxy_busy:.0%} of a core",
        f"{seen.server.before_mb:.0f} → {seen.server.most_mb:.0f} MB",
        f"{known.admitted}/{known.admitted + known.refused}, slowest {known.slowest_s * 1000:.0f} ms",
        f"{unknown.admitted}/{NEW_CALLS}, first after {unknown.first_s:.1f} s, all after {unknown.last_s:.1f} s",
        _outcome(seen.attacker) or "–",
    ]
    return f"| {' | '.join(cells)} |"


def _outcome(counts: Mapping[str, float]) -> str:
    """Return what became of the attacker's connections, in words."""
    said = [f"{count:.0f} {name}" for name, count in counts.items() if count and name not in NOT_SAID]
    return ", ".join([*said, f"at most {counts['most_open']:.0f} open"] if counts.get("most_open") else said)


def costs_table(plain: Sequence[paced.Report], edge: Sequence[paced.Report]) -> str:
    """Return what the edge costs, as a Markdown table: for each round edge ÷ plain, and the median of the rounds."""
    rows = {
        "CPU µs a frame: server": [
            (one.cpu_us_per_frame[0], two.cpu_us_per_frame[0]) for one, two in zip(plain, edge, strict=True)
        ],
        "CPU µs a frame: HAProxy": [(0.0, sum(two.cpu_us_per_frame[1:])) for two in edge],
        "CPU µs a frame: both": [
            (sum(one.cpu_us_per_frame), sum(two.cpu_us_per_frame)) for one, two in zip(plain, edge, strict=True)
        ],
        "Round trip µs, p50": [(one.p50_us, two.p50_us) for one, two in zip(plain, edge, strict=True)],
        "Round trip µs, p99": [(one.p99_us, two.p99_us) for one, two in zip(plain, edge, strict=True)],
    }
    lines = ["| 100 paced calls | plain `ws://` | edge, `wss://` | edge ÷ plain |", "|---|---|---|---|"]
    for title, pairs in rows.items():
        before, after = zip(*pairs, strict=True)
        ratios = [two / one for one, two in pairs if one]
        cells = [f"{statistics.median(before):.0f}" if any(before) else "–", f"{statistics.median(after):.0f}"]
        cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})" if ratios else "–")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)
