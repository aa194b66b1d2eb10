"""Judge what an attack did by its goals, and write the tables for docs/performance.md."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.edge import calls, newcomers, paced

PLAIN: Final = "plain"
GOAL_P99_MS: Final = 20.0
GOAL_HAPROXY_MB: Final = 256.0
GOAL_SERVER_MB: Final = 32.0
NEW_CALLS: Final = 20
GOAL_BEGUN: Final = 0.95
"""Share of its connections that an attacker has to begin; with fewer it was no such attack."""
NOT_SAID: Final = ("most_open", "seconds", "cpu_s")
TITLES: Final = {
    "none": "no attack",
    "hellos": "5,000 TLS handshakes begun a second",
    "silent": "10,000 silent TCP connections to the TLS port",
    "proven": "10,000 TLS handshakes begun and left, from a proven source",
    "port-80": "10,000 silent connections to port 80, from one source",
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
    """Figures of one attack on one HAProxy. ``attacker`` is what became of its connections; ``attacks_due`` were meant."""

    attack: str
    series: str
    calls: calls.Report
    known: newcomers.Report
    unknown: newcomers.Report
    challenges: newcomers.Report
    haproxy: Memory
    server: Memory
    haproxy_busy: float
    """Share of a core that HAProxy used during the attack."""
    attacker: Mapping[str, float]
    attacks_due: float

    def missed(self) -> list[str]:
        """Return the goals that are not reached."""
        goals = {
            f"p99 {self.calls.p99_ms:.1f} ms": self.calls.p99_ms < GOAL_P99_MS,
            f"{self.calls.lost} frames lost": self.calls.lost == 0,
            f"{self.calls.perfect} of {self.calls.placed} calls perfect": self.calls.perfect == self.calls.placed > 0,
            f"{self.known.admitted} of {NEW_CALLS} new calls of a known source": self.known.admitted == NEW_CALLS
            and not self.known.refused,
            f"{self.unknown.admitted} of {NEW_CALLS} new calls of an unknown source": self.unknown.admitted == NEW_CALLS,
            f"{self.challenges.admitted} of {NEW_CALLS} challenges answered": self.challenges.admitted == NEW_CALLS,
            f"HAProxy took {self.haproxy.more_mb:.0f} MB more": self.haproxy.more_mb < GOAL_HAPROXY_MB,
            f"the server took {self.server.more_mb:.0f} MB more": self.server.more_mb < GOAL_SERVER_MB,
        }
        begun = self.attacker.get("tried", 0.0)
        goals[f"{begun:.0f} of {self.attacks_due:.0f} connections of the attacker begun"] = begun >= GOAL_BEGUN * self.attacks_due
        return [name for name, reached in goals.items() if not reached]


def attacks_table(seen: Sequence[Seen]) -> str:
    """Return what was seen as a Markdown table, in the order that it has."""
    lines = [
        "| for 10 s, beside 100 calls | HAProxy | goals | p50, p99 ms: quiet | attacked | frames lost | memory of HAProxy, CPU "
        "| of the server | known source | unknown one, after | challenges answered | the attacker's connections |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_row, seen)])


def _row(seen: Seen) -> str:
    calls_, known, unknown, challenges = seen.calls, seen.known, seen.unknown, seen.challenges
    cells = [
        TITLES[seen.attack],
        seen.series,
        "missed: " + "; ".join(missed) if (missed := seen.missed()) else "met",
        f"{calls_.quiet_p50_ms:.2f}, {calls_.quiet_p99_ms:.2f}",
        f"{calls_.p50_ms:.2f}, {calls_.p99_ms:.2f}",
        f"{calls_.lost} of {calls_.frames}",
        f"{seen.haproxy.before_mb:.0f} → {seen.haproxy.most_mb:.0f} MB, {seen.haproxy_busy:.0%} of a core",
        f"{seen.server.before_mb:.0f} → {seen.server.most_mb:.0f} MB",
        f"{known.admitted}/{known.admitted + known.refused}, slowest {known.slowest_s * 1000:.0f} ms",
        f"{unknown.admitted}/{NEW_CALLS}, first after {unknown.first_s:.1f} s, all after {unknown.last_s:.1f} s",
        f"{challenges.admitted}/{NEW_CALLS}, slowest {challenges.slowest_s * 1000:.0f} ms",
        _outcome(seen.attacker) or "–",
    ]
    return f"| {' | '.join(cells)} |"


def _outcome(counts: Mapping[str, float]) -> str:
    """Return what became of the attacker's connections, in words."""
    said = [f"{count:.0f} {name}" for name, count in counts.items() if count and name not in NOT_SAID]
    return ", ".join([*said, f"at most {counts['most_open']:.0f} open"] if counts.get("most_open") else said)


def costs_table(costs: Mapping[str, Sequence[paced.Report]]) -> str:
    """Return what each edge costs, as a Markdown table: for each round edge ÷ `PLAIN`, and the median of the rounds."""
    rows: dict[str, Callable[[paced.Report], float]] = {
        "CPU µs a frame: server": lambda one: one.cpu_us_per_frame[0],
        "CPU µs a frame: HAProxy": lambda one: sum(one.cpu_us_per_frame[1:]),
        "CPU µs a frame: both": lambda one: sum(one.cpu_us_per_frame),
        "Round trip µs, p50": lambda one: one.p50_us,
        "Round trip µs, p99": lambda one: one.p99_us,
    }
    edges = [way for way in costs if way != PLAIN]
    heads = ["100 paced calls", "plain `ws://`", *(f"`wss://`, HAProxy {way} | ÷ plain" for way in edges)]
    lines = [f"| {' | '.join(heads)} |", "|---" * (2 + 2 * len(edges)) + "|"]
    for title, of in rows.items():
        plain = [of(one) for one in costs[PLAIN]]
        cells = [_median(plain)]
        for way in edges:
            edge = [of(one) for one in costs[way]]
            ratios = [two / one for one, two in zip(plain, edge, strict=True) if one]
            cells += [_median(edge), f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})" if ratios else "–"]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _median(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.0f}" if any(values) else "–"
