"""Operators deploy, roll back, and find every line of real calls while a stranger attacks the host."""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from benchmarks.attacks.processes import attacked
from tests.lab import releases
from tests.lab.labhost import HostSpec, LabHost, bring_up, play, take_down

PORT = 8765
SPEC = HostSpec("exo-t33", "bookworm", "198.18.65.133")
STRANGER = "198.18.65.66"
"""An address of this machine's on the lab's network that is neither the controller's nor a host's."""
BRIDGE = "exolab0"
MOST_S = 290.0
CALLS = 20


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    """Yield a host with this tree deployed."""
    inventory = tmp_path_factory.mktemp(SPEC.name) / "hosts.yml"
    [host] = bring_up([SPEC], inventory)
    done = play("deploy.yml", "-e", f"exotel_ws_source={this_tree(tmp_path_factory)}", inventory=inventory)
    assert done.rc == 0, done.stdout
    yield host
    host.disconnect()
    take_down([SPEC], inventory)


def this_tree(factory: pytest.TempPathFactory) -> Path:
    return releases.copy_of_tree(factory.mktemp("tree"))


@pytest.fixture(scope="module", autouse=True)
def stranger(host: LabHost) -> Iterator[None]:
    """Yield the address that attacks come from."""
    address = ["address", "{}", f"{STRANGER}/32", "dev", BRIDGE]
    subprocess.run(["ip", *(word.format("replace") for word in address)], check=True, timeout=10)
    yield
    subprocess.run(["ip", *(word.format("delete") for word in address)], check=True, timeout=10)


@contextmanager
def attacks(host: LabHost, *names: str) -> Iterator[None]:
    """Run attacks side by side for the length of the block."""
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(attacked(name, PORT, MOST_S, host=host.address, source=STRANGER))
        yield


def bounds(host: LabHost) -> int:
    """Return how often a bound bit, by the journal."""
    return len(host.run("sudo journalctl -q --namespace='*' -o cat EVENT=bound").stdout.splitlines())


def test_a_deploy_and_a_rollback_go_through(host: LabHost, tmp_path: Path) -> None:
    other = releases.another_release(tmp_path / "other")
    with attacks(host, "tiny-10", "no-start", "short"):
        deployed = play("deploy.yml", "-e", f"exotel_ws_source={other}", inventory=host.inventory, timeout=280)
        assert deployed.rc == 0, deployed.stdout
    with attacks(host, "metrics", "marks", "long-paths"):
        back = play("playbooks/rollback.yml", inventory=host.inventory, timeout=280)
        assert back.rc == 0, back.stdout
    assert bounds(host) > 0


def test_real_calls_have_all_their_lines(host: LabHost) -> None:
    url = f"ws://{host.address}:{PORT}?sample-rate=8000"
    command = [sys.executable, "-m", "exotelctl", "load", url, "--calls", str(CALLS), "--ramp", "1", "--seconds", "4"]
    with attacks(host, "tiny-10", "short"):
        done = subprocess.run(
            [*command, "--inventory", str(host.inventory), "--json"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["calls"]["perfect"] == CALLS, found
    events = events_of_calls(host)
    whole = [sid for sid, seen in events.items() if {"start", "media", "stop", "close"} <= seen]
    assert len(whole) >= CALLS, events
    assert host.run("exotelctl health --json").returncode == 0


def events_of_calls(host: LabHost) -> dict[str, set[str]]:
    """Return the journal's events of calls that had media, by the call's SID."""
    matches = " + ".join(f"EVENT={event}" for event in ("start", "media", "stop", "close"))
    ask = f"sudo journalctl --sync; sudo journalctl -q --namespace='*' -o json --output-fields=CALL_SID,EVENT {matches}"
    events: dict[str, set[str]] = defaultdict(set)
    for line in host.run(ask).stdout.splitlines():
        entry = json.loads(line)
        if sid := entry.get("CALL_SID"):
            events[sid].add(entry["EVENT"])
    return {sid: seen for sid, seen in events.items() if "media" in seen}
