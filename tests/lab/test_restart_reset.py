"""Restart and reset on a real host, as one story: their effect on callers, and the state of the host afterwards."""

import json
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab.labhost import HostSpec, LabHost, bring_up, play, take_down
from tests.lab.releases import copy_of_tree
from tests.lab.test_deploy import LOCK, PORT, assert_nobody_noticed, current, instances, traffic, wait_until

SPEC = HostSpec("exo-t27", "trixie", "198.18.65.127")
OTHER_PORT = 8009
LISTENS = (
    "import signal, socket, time; signal.signal(signal.SIGTERM, signal.{on_term}); "
    "s = socket.create_server(('0.0.0.0', {port})); time.sleep(600)"
)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    inventory = tmp_path_factory.mktemp(SPEC.name) / "hosts.yml"
    [host] = bring_up([SPEC], inventory)
    with tempfile.TemporaryDirectory(prefix="exotel-lab-tree-") as tree:
        done = play("deploy.yml", "-e", f"exotel_ws_source={copy_of_tree(Path(tree))}", inventory=inventory)
    assert done.rc == 0, done.stdout
    yield host
    host.disconnect()
    take_down([SPEC], inventory)


def ctl(host: LabHost, command: str) -> tuple[int, dict[str, Any]]:
    """Run an exotelctl command and return its exit code and JSON."""
    done = host.run(f"sudo exotelctl {command} --json", check=False, timeout=90)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, report


def audited(host: LabHost) -> dict[str, str]:
    """Return the last line of the audit file."""
    line: dict[str, str] = json.loads(host.run("sudo tail -n 1 /var/lib/exotel-ws/audit.jsonl").stdout)
    return line


def assert_serves(host: LabHost, generation: str) -> None:
    wait_until("nothing drains", lambda: not instances(host, "deactivating"))
    assert current(host) == generation
    assert instances(host, "active") == [f"{generation}-1", f"{generation}-2"]
    assert instances(host, "failed") == []
    assert host.run("exotelctl health --json", check=False).returncode == 0


def connects(host: LabHost, port: int = PORT) -> bool:
    try:
        socket.create_connection((host.address, port), timeout=2).close()
    except ConnectionRefusedError:
        return False
    return True


@contextmanager
def stranger(host: LabHost, port: int, on_term: str) -> Iterator[None]:
    """Let a process hold the port; with ``on_term`` SIG_IGN it does not end on SIGTERM."""
    script = LISTENS.format(port=port, on_term=on_term)
    pid_file = f"/tmp/stranger-{port}.pid"
    host.run(f'setsid --fork sh -c \'echo $$ > {pid_file}; exec python3 -c "$0"\' "{script}" >/dev/null 2>&1')
    wait_until("the stranger listens", lambda: host.run(f"ss -Hltn 'sport = :{port}'").stdout)
    try:
        yield
    finally:
        host.run(f"kill -KILL $(cat {pid_file})", check=False)


@contextmanager
def no_worker_can_start(host: LabHost) -> Iterator[None]:
    """Make every start of a worker fail; running ones go on."""
    drop_in = "/run/systemd/system/exotel-ws@.service.d"
    fails = 'ExecStartPre=/bin/sh -c "echo a saboteur was here; exit 1"'
    host.run(f"sudo mkdir -p {drop_in} && printf '[Service]\\n{fails}\\n' | sudo tee {drop_in}/sabotage.conf")
    host.run("sudo systemctl daemon-reload")
    try:
        yield
    finally:
        host.run(f"sudo rm -r {drop_in} && sudo systemctl daemon-reload")


# -- restart -----------------------------------------------------------------------------------------------------------


def test_a_restart_under_load_is_noticed_by_no_caller(host: LabHost) -> None:
    old = current(host)
    with traffic(host, held=50, arrivals=5) as reports:
        code, report = ctl(host, "restart --yes")
        assert (code, report["problem"]) == (0, None)
        new = current(host)
        assert (report["previous"], report["generation"]) == (old, new)
        assert old != new
        assert report["previous_calls_live"] >= 50
        assert all(instance.startswith(old) for instance in instances(host, "deactivating"))
        assert len(instances(host, "deactivating")) == 2
    assert_nobody_noticed(reports[0], 50)
    assert_serves(host, new)
    line = audited(host)
    assert set(line) == {"time", "who", "action", "generation", "release", "reason", "outcome"}
    assert (line["action"], line["generation"], line["outcome"]) == ("restart", new, "done")
    assert line["who"] == f"operator@{host.name}"


def test_a_restart_that_fails_shows_the_journal_and_the_old_generation_goes_on(host: LabHost) -> None:
    before = current(host)
    with no_worker_can_start(host), traffic(host, held=5, arrivals=5) as reports:
        done = host.run("sudo exotelctl restart --yes", check=False, timeout=90)
    assert done.returncode == 1
    assert f"{before} goes on serving." in done.stdout
    assert "a saboteur was here" in done.stdout
    assert_nobody_noticed(reports[0], 5)
    assert_serves(host, before)
    assert (audited(host)["action"], audited(host)["outcome"].split()[0]) == ("restart", "failed:")


def test_the_holder_of_the_lock_is_named(host: LabHost) -> None:
    hold = f"sudo install -d -m 700 {LOCK.parent}; sudo flock {LOCK} -c 'echo night shift > {LOCK}; cat'"
    with subprocess.Popen([*host._ssh(), hold], stdin=subprocess.PIPE) as holder:
        wait_until("the lock is held", lambda: host.run(f"sudo flock -n {LOCK} true", check=False).returncode)
        assert "Permission denied" in host.run(f"flock -n {LOCK} true", check=False).stderr, "who is not root cannot hold it"
        refused = [host.run(f"sudo exotelctl {command}", check=False) for command in ("restart --yes", "reset --yes")]
        holder.communicate(timeout=30)
    for done in refused:
        assert done.returncode == 3
        assert "night shift" in done.stderr


@pytest.mark.parametrize("command", ["restart", "reset --yes"])
def test_without_root_one_line_says_what_to_do(host: LabHost, command: str) -> None:
    done = host.run(f"exotelctl {command}", check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert "sudo exotelctl" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_playbook_restarts_and_verifies(host: LabHost) -> None:
    before = current(host)
    foreseen = play("playbooks/restart.yml", "--check", inventory=host.inventory)
    assert (foreseen.rc, foreseen.changed, current(host)) == (0, 1, before), foreseen.stdout
    done = play("playbooks/restart.yml", inventory=host.inventory)
    assert done.rc == 0, done.stdout
    assert f"{host.name} takes calls" in done.stdout
    assert current(host) != before
    assert audited(host)["action"] == "restart"


# -- reset -------------------------------------------------------------------------------------------------------------


def test_without_consent_a_reset_says_what_it_would_cut_and_changes_nothing(host: LabHost) -> None:
    before, audit = current(host), audited(host)
    with traffic(host, held=3, arrivals=0) as reports:
        workers = instances(host, "active")
        done = host.run("sudo exotelctl reset", check=False)
        assert done.returncode == 3
        assert f"{before}: 2 workers active, 3 live calls" in done.stdout
        assert "It cuts 3 live calls." in done.stdout
        code, report = ctl(host, "reset --dry-run")
        assert (code, report["outcome"], report["calls_live"]) == (0, "dry-run", 3)
        assert instances(host, "active") == workers
    assert_nobody_noticed(reports[0], 3)
    assert audited(host) == audit


def test_on_a_terminal_it_asks_and_no_is_the_default(host: LabHost) -> None:
    workers, audit = instances(host, "active"), audited(host)
    on_terminal = [*host._ssh("-tt"), "sudo exotelctl reset"]
    done = subprocess.run(on_terminal, input="\n", capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 3
    assert "Cut 0 live calls? [y/N]" in done.stdout
    assert (instances(host, "active"), audited(host)) == (workers, audit)


def test_a_reset_cuts_the_calls_that_it_named_clears_both_ports_and_serves_again(host: LabHost) -> None:
    generation = current(host)
    with stranger(host, OTHER_PORT, "SIG_IGN"):
        with traffic(host, held=3, arrivals=0) as reports:
            code, report = ctl(host, f"reset --yes --port {OTHER_PORT}")
            assert (code, report["outcome"]) == (0, "done"), report
        assert host.run(f"ss -Hltn 'sport = :{OTHER_PORT}'").stdout == ""
    assert (report["calls_live"], report["calls_cut"], reports[0].dropped) == (3, 3, 3)
    [named] = report["ports"][1]["strangers"]
    assert named["name"] == "python3"
    steps = [step["step"].split(":")[0] for step in report["steps"]]
    assert f"clear port {OTHER_PORT} of what is not ours" in steps
    assert [found["ok"] for found in report["verified"]] == [True, True]
    assert_serves(host, generation)
    line = audited(host)
    assert set(line) == {"time", "who", "action", "generation", "release", "reason", "outcome"}
    assert (line["action"], line["reason"], line["outcome"]) == ("reset", "reset asked for, 3 calls cut", "done")
    assert "ends: done, 3 calls cut" in host.run("sudo journalctl -o cat -n 20 EVENT=reset").stdout


def test_with_drain_calls_end_by_themselves_and_new_ones_are_refused_meanwhile(host: LabHost) -> None:
    generation = current(host)
    with ThreadPoolExecutor(1) as other, traffic(host, held=3, arrivals=0) as reports:
        resetting = other.submit(ctl, host, "reset --yes --drain 60")
        wait_until("the port is closed", lambda: not connects(host))
        draining = instances(host, "deactivating")  # those with calls: one worker may have taken all three
        assert draining
        assert all(instance.startswith(generation) for instance in draining)
    code, report = resetting.result(timeout=60)
    assert (code, report["outcome"], report["calls_live"], report["calls_cut"]) == (0, "done", 3, 0), report
    assert_nobody_noticed(reports[0], 3)
    assert_serves(host, generation)


def test_an_interrupted_reset_says_what_state_the_host_is_in_and_what_brings_it_back(host: LabHost) -> None:
    generation = current(host)
    with ThreadPoolExecutor(1) as other, traffic(host, held=2, arrivals=0) as reports:
        resetting = other.submit(host.run, "sudo exotelctl reset --yes --drain 60", check=False, timeout=60)
        wait_until("the port is closed", lambda: not connects(host))
        host.run("sudo kill -INT $(pgrep -f '^/[^ ]*python[^ ]* [^ ]*exotelctl reset')")
        done = resetting.result(timeout=30)
        assert done.returncode == 1
        assert "interrupted by SIGINT" in done.stdout
        assert "exotel-ws.socket is inactive, new calls are refused" in done.stdout
        assert "Back into service: exotelctl restart" in done.stdout
        assert audited(host)["outcome"].startswith("interrupted: wait at most 60 s for the calls")
        code, report = ctl(host, "restart --yes")
        assert code == 0, report
        assert connects(host)
    assert_nobody_noticed(reports[0], 2)
    assert current(host) != generation
    assert_serves(host, current(host))


def test_a_reset_repairs_a_failed_socket_and_dead_workers(host: LabHost) -> None:
    generation = current(host)
    host.run("sudo systemctl stop exotel-ws.socket 'exotel-ws@*.service'")
    with stranger(host, PORT, "SIG_DFL"):
        assert host.run("sudo systemctl start exotel-ws.socket", check=False).returncode != 0
        assert host.run("systemctl is-failed exotel-ws.socket").stdout == "failed\n"
        code, report = ctl(host, "reset --yes")
    assert (code, report["outcome"], report["calls_cut"]) == (0, "done", 0), report
    assert "forget the failure of exotel-ws.socket" in report["plan"]
    assert_serves(host, generation)


def test_a_reset_after_which_nothing_starts_shows_the_journal_and_the_way_back(host: LabHost) -> None:
    generation = current(host)
    with no_worker_can_start(host):
        done = host.run("sudo exotelctl reset --yes", check=False, timeout=90)
    assert done.returncode == 1
    assert "a saboteur was here" in done.stdout
    assert "exotel-ws.socket is inactive, new calls are refused" in done.stdout
    assert "Back into service: exotelctl restart" in done.stdout
    assert audited(host)["outcome"].startswith("failed: ")
    code, report = ctl(host, "reset --yes")
    assert (code, report["outcome"]) == (0, "done"), report
    assert_serves(host, generation)


def test_a_service_on_the_port_is_refused_by_name_before_anything_is_changed(host: LabHost) -> None:
    generation = current(host)
    host.run(f"sudo systemd-run --unit other-tenant python3 -m http.server {OTHER_PORT}")
    try:
        wait_until("it listens", lambda: host.run(f"ss -Hltn 'sport = :{OTHER_PORT}'").stdout)
        code, report = ctl(host, f"reset --yes --port {OTHER_PORT}")
    finally:
        host.run("sudo systemctl stop other-tenant")
    assert (code, report["outcome"]) == (3, "refused")
    assert "systemctl stop other-tenant.service" in report["problem"]
    assert_serves(host, generation)


def test_the_playbook_tells_what_it_would_cut_and_wants_consent(host: LabHost) -> None:
    generation = current(host)
    with traffic(host, held=2, arrivals=0) as reports:
        refused = play("playbooks/reset.yml", inventory=host.inventory)
        foreseen = play("playbooks/reset.yml", "--check", inventory=host.inventory)
    assert refused.rc != 0
    assert f"A reset of {host.name} to {generation} cuts 2 live calls" in " ".join(refused.stdout.split())
    assert "reset_yes=true" in refused.stdout
    assert (foreseen.rc, foreseen.changed) == (0, 0), foreseen.stdout
    assert reports[0].dropped == 0

    misspelt = play("playbooks/reset.yml", "-e", "reset_yess=true", inventory=host.inventory)
    assert misspelt.rc != 0
    assert "did you mean reset_yes?" in misspelt.stdout

    done = play("playbooks/reset.yml", "-e", "reset_yes=true", inventory=host.inventory)
    assert done.rc == 0, done.stdout
    assert f"{host.name} takes calls" in done.stdout
    assert_serves(host, generation)
    assert audited(host)["action"] == "reset"
