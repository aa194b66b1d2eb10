"""`exotelctl doctor` on a real host: no finding where nothing is wrong, and the right check for each fault.

Every saboteur's fault has to turn its own check red and no unrelated one: consequences of the fault are shown as blocked.
"""

import dataclasses
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import time
from typing import Any

import pytest

from tests.lab import callers, saboteurs
from tests.lab.labhost import HostSpec, LabHost, bring_up, play, take_down
from tests.lab.releases import copy_of_tree
from tests.lab.saboteurs import CLOSED, INPUT, PORT, SABOTEURS, Saboteur, healed, url
from tests.modules.compute.server import ComputeServer

HOST = HostSpec("exo-t24", "bookworm", "198.18.65.124")
EXOTELCTL = str(Path(sys.executable).with_name("exotelctl"))
LATER = "import time; now = time.time; time.time = lambda: now() + 120; from exotelctl.cli import main; main()"
EXOTELCTL_TWO_MINUTES_LATER = [sys.executable, "-c", LATER]
RED = ("warn", "fail")

# Restarts of workers are part of many faults, and a drain waits for handshakes in flight.
OPEN = {"exotel_ws_settings": {"drain": {"grace_s": 0.1}}}
GUARDED = {
    **OPEN,
    "exotel_ws_paths": [saboteurs.PATH],
    "exotel_ws_credentials": [saboteurs.CREDENTIAL],
    "exotel_ws_max_calls": saboteurs.MAX_CALLS,
}

FIREWALLS = {
    "lets it in": f"chain input {{ {CLOSED} tcp dport {{ 22, {PORT} }} accept; }}",
    "in a chain of its own": f"""chain users {{ tcp dport {{ 22, {PORT} }} accept; }}
        chain input {{ {CLOSED} jump users; }}""",
    "comes back undecided": f"""chain users {{ tcp dport {PORT} return; tcp dport 22 accept; }}
        chain input {{ {CLOSED} jump users; }}""",
    "by a named set": f"""set ports {{ type inet_service; elements = {{ 22, {PORT} }}; }}
        chain input {{ {CLOSED} tcp dport @ports accept; }}""",
    "by a verdict map": f"chain input {{ {CLOSED} tcp dport vmap {{ 22: accept, {PORT}: accept }}; }}",
    "all ports but": f"chain input {{ {INPUT} iifname != lo tcp dport != {{ 22, 80 }} drop; }}",
    "another protocol": f"chain input {{ {INPUT} udp dport {PORT} drop; }}",
    "another interface": f"""chain input {{ {CLOSED} tcp dport 22 accept;
        iifname "wg0" tcp dport {PORT} accept; }}""",
    "before it gets to input": f"""chain early {{ type filter hook prerouting priority -300;
        iifname != lo tcp dport {PORT} drop; }}""",
    "a second chain says no": f"""chain input {{ {INPUT} tcp dport {PORT} accept; }}
        chain late {{ type filter hook input priority 10; iifname != lo tcp dport {PORT} drop; }}""",
    "answers do not get out": f"""chain output {{ type filter hook output priority 0;
        oifname != lo tcp sport {PORT} drop; }}""",
    "sent to another port": f"""chain early {{ type nat hook prerouting priority -100;
        iifname != lo tcp dport {PORT} redirect to :9; }}""",
}
"""Rules of a table, by what is in them; whether calls get through them is tried."""

OUTSIDE = ("outside-reach", "host-firewall")
"""Checks that need the view from another machine."""


@dataclasses.dataclass(frozen=True)
class Report:
    """Report of the doctor: its exit code, and its results by check."""

    code: int
    results: dict[str, dict[str, Any]]

    def those(self, *verdicts: str) -> set[str]:
        """Return the checks with one of these verdicts."""
        return {check for check, result in self.results.items() if result["verdict"] in verdicts}

    def told(self, *verdicts: str) -> dict[str, str]:
        """Return the findings of these verdicts, by check."""
        return {check: self.results[check]["says"] for check in self.those(*verdicts)}

    @property
    def blocked_by(self) -> set[str]:
        """Return the checks that explain others."""
        return {result["blocked_by"] for result in self.results.values() if result["blocked_by"]}

    @property
    def verdicts(self) -> dict[str, str]:
        """Return the verdicts, which a colleague has to see too."""
        return {check: result["verdict"] for check, result in self.results.items()}


def read(done: subprocess.CompletedProcess[str]) -> Report:
    """Return the report in a doctor's output."""
    assert done.stdout.startswith("{"), f"exit code {done.returncode}: {done.stdout}{done.stderr}"
    results = json.loads(done.stdout)["results"]
    assert len({result["id"] for result in results}) == len(results), "a check that appears twice"
    return Report(done.returncode, {result["id"]: result for result in results})


def doctor(host: LabHost, *options: str, since: float = 0.0, sudo: str = "sudo") -> Report:
    """Ask the host's own doctor, by default about all that it remembers."""
    return read(host.run(f"{sudo} exotelctl doctor --json --since @{since:.6f} {' '.join(options)}", check=False))


def replay(bundle: Path, *options: str) -> Report:
    """Ask the doctor of this machine about a bundle."""
    command = [EXOTELCTL, "doctor", "--json", "--replay", str(bundle), *options]
    return read(subprocess.run(command, capture_output=True, text=True, timeout=60, check=False))


def bundle_of(host: LabHost, to: Path, since: float) -> tuple[Report, Path]:
    """Return the host's report, and its bundle in the directory ``to`` of this machine."""
    there = "/run/doctor.tar"
    report = doctor(host, "--bundle", there, since=since)
    done = subprocess.run([*host._ssh(), f"sudo cat {there}; sudo rm {there}"], capture_output=True, timeout=30, check=True)
    bundle = to / "doctor.tar"
    bundle.write_bytes(done.stdout)
    return report, bundle


def deploy(host: LabHost, settings: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory(prefix="exotel-lab-tree-") as tree:
        source = json.dumps({**settings, "exotel_ws_source": str(copy_of_tree(Path(tree)))})
        done = play("deploy.yml", "-e", source, inventory=host.inventory)
    assert done.rc == 0, done.stdout


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    """Deploy a host for this module alone: other tests do not get a sabotaged one."""
    inventory = tmp_path_factory.mktemp(HOST.name) / "hosts.yml"
    [host] = bring_up([HOST], inventory)
    deploy(host, OPEN)
    yield host
    host.disconnect()
    take_down([HOST], inventory)


@pytest.fixture(scope="module")
def guarded(host: LabHost) -> LabHost:
    """Deploy the same host again with credentials, a path and a low limit of calls."""
    deploy(host, GUARDED)
    return host


def of(deployed: str) -> pytest.MarkDecorator:
    """Parametrise with the saboteurs for a host deployed like this."""
    chosen = [saboteur for saboteur in SABOTEURS if saboteur.host == deployed]
    return pytest.mark.parametrize("saboteur", chosen, ids=lambda saboteur: f"{saboteur.check}-by-{saboteur.name}")


def assert_found(report: Report, saboteur: Saboteur) -> None:
    """Assert that the fault's check is red, no unrelated one is, and each unknown one has its explanation."""
    red = report.told(*RED)
    assert saboteur.check in red, report.results[saboteur.check]
    assert red.keys() <= {saboteur.check, *saboteur.also}, red
    assert report.blocked_by <= {saboteur.check, *saboteur.also}, report.blocked_by
    assert report.told("unknown") == {}
    assert report.code == (1 if report.those("fail") else 4)


def _connects(host: LabHost) -> bool:
    """Return whether this machine connects within a second."""
    try:
        socket.create_connection((host.address, PORT), timeout=1).close()
    except OSError:
        return False
    return True


# -- nothing is wrong --------------------------------------------------------------------------------------------------


def test_a_clean_host_has_no_finding(host: LabHost) -> None:
    callers.good(url(host), calls=2)
    report = doctor(host)
    assert report.verdicts.keys() >= {saboteur.check for saboteur in SABOTEURS} - set(OUTSIDE)
    assert report.told(*RED, "unknown") == {}
    assert report.blocked_by == set()
    assert report.results["arrivals"]["verdict"] == "ok"
    assert report.code == 0


def test_where_nobody_has_called_there_is_nothing_to_judge(host: LabHost) -> None:
    report = doctor(host, since=time())
    assert report.results["arrivals"]["verdict"] == "skipped"
    assert report.code == 0


def test_from_outside_a_clean_host_is_clean_too(host: LabHost) -> None:
    done = play("playbooks/doctor.yml", inventory=host.inventory)
    assert done.rc == 0, done.stdout
    assert "outside-reach" in done.stdout


def test_google_is_asked_too_and_a_failing_answer_stops_nothing(host: LabHost, tmp_path: Path) -> None:
    """A rule of Google's that denies the port is found at the instance that has the host's address."""
    compute = ComputeServer()
    try:
        google = in_google(compute, host, tmp_path)
        denied = play("playbooks/doctor.yml", "-e", google, inventory=host.inventory)
        compute.fail("GET", "getEffectiveFirewalls", status=403, reason="forbidden", message="no right")
        refused = play("playbooks/doctor.yml", "-e", google, inventory=host.inventory)
    finally:
        compute.close()
    assert compute.violations == []
    assert denied.rc != 0
    assert "tcp:8765 is denied by rule block-all, priority 900" in denied.stdout
    assert refused.rc == 0, refused.stdout
    assert "Google Cloud's firewall could not be looked at: effective firewalls of nic0 of instance voice-1" in refused.stdout


def in_google(compute: ComputeServer, host: LabHost, directory: Path) -> str:
    """Return extra variables for a host that is an instance of ``compute``, whose firewall lets nobody in."""
    instance = compute.store.add_instance("my-project", "asia-south1-a", "voice-1")
    instance["networkInterfaces"][0]["accessConfigs"][0]["natIP"] = host.address
    compute.store.firewalls("my-project")["block-all"] = {
        "name": "block-all",
        "network": instance["networkInterfaces"][0]["network"],
        "direction": "INGRESS",
        "priority": 900,
        "sourceRanges": ["0.0.0.0/0"],
        "denied": [{"IPProtocol": "all"}],
    }
    key = compute.credentials_file(directory)
    return json.dumps({"gcp_project": "my-project", "gcp_api_endpoint": compute.url, "gcp_service_account_file": str(key)})


def test_live_calls_and_a_drain_are_no_finding(host: LabHost) -> None:
    begun = time()
    with callers.held(url(host), calls=3):
        host.run("sudo exotelctl restart --yes")
        report = doctor(host, since=begun)
        draining = host.run("systemctl list-units --plain --no-legend --state=deactivating 'exotel-ws@*'").stdout
    healed(host)
    assert draining
    assert report.told(*RED, "unknown") == {}
    assert report.code == 0


def test_a_crash_is_told_of_in_its_window_and_not_for_ever(host: LabHost) -> None:
    begun = time()
    saboteurs.crash_once(host)
    during, after = doctor(host, since=begun), doctor(host, since=time())
    assert during.told(*RED).keys() == {"unit-down"}
    assert during.code == 4
    assert after.told(*RED) == {}


@pytest.mark.parametrize("rules", FIREWALLS.values(), ids=FIREWALLS)
def test_the_firewall_check_agrees_with_the_kernel(host: LabHost, rules: str) -> None:
    with saboteurs.firewall(host, rules):
        connects = _connects(host)
        report = doctor(host, "--check host-firewall")
    assert report.verdicts == {"host-firewall": "ok" if connects else "fail"}, report.results


def test_who_may_not_look_knows_nothing_and_says_so(host: LabHost) -> None:
    report = doctor(host, since=time(), sudo="")
    assert report.told(*RED) == {}
    unknown = report.those("unknown")
    assert {"port-two-listeners", "loop-hung", "host-firewall"} <= unknown
    assert {report.results[check]["needs"] for check in unknown} == {"root"}
    assert report.code == 5


# -- one fault at a time -----------------------------------------------------------------------------------------------


@of("open")
def test_saboteur(host: LabHost, saboteur: Saboteur, tmp_path: Path) -> None:
    begun = time()
    with saboteur.sabotage(host):
        if saboteur.check in OUTSIDE:
            _, bundle = bundle_of(host, tmp_path, begun)
            report = replay(bundle, "--outside", url(host))
        else:
            report = doctor(host, since=begun)
    healed(host)
    assert_found(report, saboteur)


def test_of_a_window_the_newest_lines_are_read(host: LabHost) -> None:
    """The newest lines of a window are read; journalctl 252 gives the oldest, which hides present faults of a busy host."""
    begun = time()
    callers.good(url(host), seconds=0.1)
    lines = host.run(f"sudo exotelctl logs --json --since @{begun:.6f} --lines 1").stdout.splitlines()
    assert "Connection closed" in lines[-1]


def test_two_faults_are_two_findings(host: LabHost) -> None:
    begun = time()
    with saboteurs.two_faults(host):
        report = doctor(host, since=begun)
    healed(host)
    assert report.told(*RED).keys() == {"host-firewall", "unit-down"}
    assert report.code == 1


def test_a_bundle_is_judged_elsewhere_as_on_the_host(host: LabHost, tmp_path: Path) -> None:
    begun = time()
    callers.without_start(url(host), calls=3)
    here, bundle = bundle_of(host, tmp_path, begun)
    there = replay(bundle)
    assert "no-start" in here.those(*RED)
    assert (there.verdicts, there.code) == (here.verdicts, here.code)


def test_a_clock_that_is_off_is_told_by_another_machine(host: LabHost, tmp_path: Path) -> None:
    """Another machine finds a clock that is off. A lab host shares this machine's clock: here one command runs 2 min later."""
    _, bundle = bundle_of(host, tmp_path, time())
    command = [*EXOTELCTL_TWO_MINUTES_LATER, "doctor", "--json", "--replay", str(bundle), "--outside", url(host)]
    report = read(subprocess.run(command, capture_output=True, text=True, timeout=60, check=False))
    assert report.told(*RED).keys() == {"clock"}
    assert "2 min" in report.results["clock"]["says"]
    assert replay(bundle, "--outside", url(host)).code == 0


# -- streams that need a credential ------------------------------------------------------------------------------------


def test_a_clean_host_with_credentials_has_no_finding(guarded: LabHost) -> None:
    begun = time()
    callers.good(url(guarded, saboteurs.PATH, saboteurs.CREDENTIAL))
    report = doctor(guarded, since=begun)
    assert report.told(*RED, "unknown") == {}
    assert report.code == 0


@of("guarded")
def test_saboteur_of_the_guarded_host(guarded: LabHost, saboteur: Saboteur) -> None:
    begun = time()
    with saboteur.sabotage(guarded):
        report = doctor(guarded, since=begun)
    healed(guarded)
    assert_found(report, saboteur)
    assert saboteurs.CREDENTIAL.partition(":")[2] not in json.dumps(report.results)
