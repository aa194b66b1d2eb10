"""The benchmark of deploys: its table, and the goals that it names as missed."""

from benchmarks.deploy import WAYS, Deploy, Seen, table
from benchmarks.figures import QUIET_CORES


def seen(first_s: float, *again_s: float, busy: float = 0.0) -> Seen:
    first, *again = (Deploy(seconds, 5.0, 7.0, busy, 40, 0) for seconds in (first_s, *again_s))
    return Seen("12", WAYS["acme"], first, again)


def test_the_table_shows_the_median_of_the_deploys_after_the_first() -> None:
    *_, row = table([seen(30, 18, 14, 15)]).splitlines()
    assert row == "| 12 | edge, ACME | 30.0 s | ≤ 90 s | 15.0 s (14.0–18.0) | ≤ 20 s | 40 | 5.0 | 7.0 | 0.00 |"


def test_a_machine_that_did_other_work_is_told() -> None:
    assert table([seen(30, 15, busy=QUIET_CORES + 0.01)]).endswith(" ⚠️ |")


def test_a_goal_is_missed_by_the_first_deploy_and_by_the_median_of_the_others() -> None:
    assert seen(90, 1, 20, 99).missed() == []
    assert seen(91, 19, 21, 22).missed() == [
        "Debian 12, edge, ACME, first 91.0 s of 90 s",
        "Debian 12, edge, ACME, again 21.0 s of 20 s",
    ]
