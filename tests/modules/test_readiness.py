"""Readiness of a host for a deploy, by the facts of the preflight: each problem with its cure."""

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.exotel.voicebot.plugins.filter.readiness import FilterModule, not_root, readiness

PLATFORMS = {
    "debian-12": {"python": "/usr/bin/python3.11", "packages": ["python3"]},
    "ubuntu-22.04": {"python": "/usr/bin/python3.11", "packages": ["python3.11", "libpython3.11"]},
}
FACTS: dict[str, Any] = {
    "uid": 0,
    "interpreter": "/usr/bin/python3",
    "os": "debian-12",
    "name": "Debian GNU/Linux 12 (bookworm)",
    "init": "systemd",
    "systemd": 252,
    "pythons": {"/usr/bin/python3.11": "3.11.2"},
    "free_mb": {"/opt": 9000, "/var": 8000},
    "clock_skew_s": 1,
    "ntp": "yes",
    "socket": "inactive",
    "listening": False,
    "holders": None,
}


def judged(**changes: Any) -> dict[str, Any]:
    """Return the judgement of a ready host with other facts; one that is `...` is missing."""
    facts = {name: value for name, value in {**FACTS, **changes}.items() if value is not ...}
    return readiness(facts, PLATFORMS)


def test_a_ready_host_is_described() -> None:
    assert judged() == {
        "platform": PLATFORMS["debian-12"],
        "python_comes": False,
        "problems": [],
        "findings": [
            "Debian GNU/Linux 12 (bookworm), systemd 252, Python 3.11.2, 8000 MB free, clock +1 s",
            "port 8765 is free",
        ],
    }


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"uid": 1000}, "the tasks do not run as root: set `become: true` for the host, or ansible_become in the inventory"),
        (
            {"os": "debian-11", "name": "Debian 11"},
            "Debian 11 is not supported, debian-12, ubuntu-22.04 are: one of those, or a new entry in "
            "roles/preflight/vars/main/platforms.yml",
        ),
        ({"init": "tini"}, "PID 1 is tini, not systemd: a container without an init cannot be deployed to, a VM can"),
        ({"systemd": 247}, "systemd 247, but 249 is needed: upgrade the distribution"),
        ({"systemd": None}, "systemd is missing, but 249 is needed: upgrade the distribution"),
        ({"pythons": {"/usr/bin/python3.11": "3.9.2"}}, "no Python 3.11 at /usr/bin/python3.11: apt-get install python3"),
        (
            {"free_mb": {"/opt": 9000, "/var": 499}},
            "499 MB are free in /opt or /var, but 500 are needed: apt-get clean; journalctl --vacuum-size=200M",
        ),
        (
            {"clock_skew_s": -31},
            "its clock is -31 s off the controller's: timedatectl set-ntp true, or set the controller's clock",
        ),
    ],
)
def test_a_problem_is_told_with_its_cure(changes: dict[str, Any], problem: str) -> None:
    found = judged(**changes)
    assert found["problems"] == [problem]
    assert found["findings"] == []


@pytest.mark.parametrize("changes", [{"free_mb": {"/opt": 500}}, {"clock_skew_s": 30}, {"clock_skew_s": -30}, {"systemd": 249}])
def test_a_limit_itself_is_fine(changes: dict[str, Any]) -> None:
    assert judged(**changes)["problems"] == []


def test_all_problems_are_told_at_once() -> None:
    found = judged(uid=1000, init="tini", systemd=None, free_mb={"/opt": 1}, pythons={"/usr/bin/python3.11": "3.9"})
    assert len(found["problems"]) == 5


def test_limits_are_those_that_are_set_and_numbers_may_be_texts() -> None:
    facts = {**FACTS, "free_mb": {"/opt": 1600}, "clock_skew_s": 4}
    assert readiness(facts, PLATFORMS, mode="ai", free_mb="700", clock_skew_s="3")["problems"] == [  # type: ignore[arg-type]
        "1600 MB are free in /opt or /var, but 1700 are needed: apt-get clean; journalctl --vacuum-size=200M",
        "its clock is 4 s off the controller's: timedatectl set-ntp true, or set the controller's clock",
    ]


@pytest.mark.parametrize("pythons", [None, {"/usr/bin/python3.10": "3.10.12"}])
def test_a_package_brings_python_once(pythons: dict[str, str] | None) -> None:
    facts = {**FACTS, "os": "ubuntu-22.04", "pythons": pythons}
    before = readiness(facts, PLATFORMS)
    assert (before["python_comes"], before["problems"]) == (True, [])
    assert "Python comes with python3.11 libpython3.11," in before["findings"][0]
    after = readiness(facts, PLATFORMS, installed=True)
    assert after["python_comes"] is False
    assert after["problems"] == ["no Python 3.11 at /usr/bin/python3.11: apt-get install python3.11 libpython3.11"]


def test_a_host_without_a_known_platform_gets_no_package() -> None:
    assert judged(os="debian-11", pythons=None)["python_comes"] is False


@pytest.mark.parametrize(
    ("changes", "use"),
    [
        ({"listening": ...}, "not looked at: the host has no ss (package iproute2)"),
        ({"holders": ["pid 7 (a)", "pid 8 (b)"]}, "used for connections by pid 7 (a), pid 8 (b): nobody can listen on it"),
        (
            {"listening": True, "holders": ["pid 7 (node app.js)"]},
            "held by pid 7 (node app.js): the deploy ends it if that is safe",
        ),
        ({"listening": True}, "held by a process that ss cannot name: the deploy ends it if that is safe"),
        ({"listening": True, "holders": ["pid 1 (/sbin/init)"], "socket": "active"}, "held by exotel-ws.socket of an earlier"),
        ({"listening": True, "holders": ["pid 1 (/sbin/init)"]}, "held by a socket unit of systemd (systemctl list-sockets"),
        ({"listening": True, "holders": ["pid 12 (x)"], "socket": "active"}, "held by pid 12 (x): the deploy ends it"),
    ],
)
def test_who_has_the_port(changes: dict[str, Any], use: str) -> None:
    assert judged(**changes)["findings"][1].startswith(f"port 8765 is {use}")


@pytest.mark.parametrize(("ntp", "warned"), [("no", True), ("yes", False), ("", False), (..., False)])
def test_a_clock_that_nobody_sets_is_warned_of(ntp: Any, warned: bool) -> None:
    assert any("clock is not synchronised" in line for line in judged(ntp=ntp)["findings"]) is warned


@pytest.mark.parametrize(
    ("user", "said"),
    [("deploy", "the tasks run as deploy, not as root"), ("root", "do not run as root"), ("", "do not run as root")],
)
def test_why_nobody_is_root(user: str, said: str) -> None:
    assert said in not_root(user)
    assert said in readiness({**FACTS, "uid": 1000}, PLATFORMS, become_user=user)["problems"][0]


def test_facts_of_something_else_are_refused() -> None:
    with pytest.raises(AnsibleFilterError, match=r"the facts have no .os., which facts\.sh"):
        readiness({"uid": 0}, PLATFORMS)


def test_the_filters_of_the_file() -> None:
    assert set(FilterModule().filters()) == {"readiness", "not_root"}
