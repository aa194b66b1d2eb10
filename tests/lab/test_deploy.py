"""The main job on real hosts, as one story for each Debian: every test goes on where the one before left the host."""

import atexit
import json
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.lab import releases
from tests.lab.calling import calling
from tests.lab.labhost import BOOKWORM, TRIXIE, HostSpec, LabHost, Play, bring_up, play, take_down
from tests.lab.traffic import Report

PORT = 8765
LOCK = Path("/run/exotel-ws-deploy/lock")


@pytest.fixture(scope="module", params=[BOOKWORM, TRIXIE], ids=lambda spec: spec.suite)
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    """Yield a fresh host of the suite, with nothing of ours on it until the first deploy."""
    spec: HostSpec = request.param
    inventory = tmp_path_factory.mktemp(spec.name) / "hosts.yml"
    [host] = bring_up([spec], inventory)
    if spec is TRIXIE:
        # Where useradd makes no group of the same name.
        host.run("sudo sed -i 's/^USERGROUPS_ENAB.*/USERGROUPS_ENAB no/' /etc/login.defs")
    yield host
    host.disconnect()
    take_down([spec], inventory)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory for source trees of other releases."""
    return tmp_path_factory.mktemp("trees")


@cache
def this_tree() -> Path:
    """Copy the tree as it is now, so that the story stays one release even if somebody edits meanwhile."""
    directory = tempfile.TemporaryDirectory(prefix="exotel-lab-tree-")
    atexit.register(directory.cleanup)
    return releases.copy_of_tree(Path(directory.name))


def deploy(host: LabHost, *args: str, source: Path | None = None) -> Play:
    return play("deploy.yml", *args, "-e", f"exotel_ws_source={source or this_tree()}", inventory=host.inventory)


def url(host: LabHost) -> str:
    return f"ws://{host.address}:{PORT}"


def get(host: LabHost, path: str) -> str:
    with urllib.request.urlopen(f"http://{host.address}:{PORT}{path}", timeout=5) as answer:
        text: str = answer.read().decode()
    return text


def current(host: LabHost) -> str:
    """Return the serving generation."""
    return Path(host.run("readlink /etc/exotel-ws/current").stdout.strip()).name


def instances(host: LabHost, state: str) -> list[str]:
    """Return the instances in this state of their unit: active, deactivating, failed …"""
    units = host.run(f"systemctl list-units --plain --no-legend --state={state} 'exotel-ws@*.service'").stdout
    return re.findall(r"exotel-ws@(\S+)\.service", units)


def wait_until(what: str, condition: Callable[[], object], timeout_s: float = 30.0) -> None:
    deadline = monotonic() + timeout_s
    while not condition():
        assert monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        sleep(0.2)


@contextmanager
def traffic(host: LabHost, held: int = 200, arrivals: float = 10.0, to: str = "") -> Iterator[list[Report]]:
    """Call the host, or the URL ``to``, while the block runs. Afterwards the list holds the callers' reports."""
    with calling(to or url(host), held=held, arrivals=arrivals, most=150) as reports:
        yield reports


def assert_nobody_noticed(report: Report, least_calls: int) -> None:
    assert (report.refused, report.dropped, report.wrong) == (0, 0, 0), report
    assert report.frames_echoed == report.frames_sent > 0, report
    assert report.calls >= least_calls, report


# -- before anything is deployed ---------------------------------------------------------------------------------------


def test_check_mode_on_a_bare_host_works_and_changes_nothing(host: LabHost) -> None:
    what_is_there = (
        "sudo find /etc /opt /usr/local /var/lib -newer /proc/1 -not -path '/var/lib/systemd/*' | sort; getent passwd exotel-ws"
    )
    before = host.run(what_is_there, check=False).stdout
    done = deploy(host, "--check", "--diff")
    assert done.rc == 0, done.stdout
    assert host.run(what_is_there, check=False).stdout == before
    assert host.run("systemctl list-unit-files 'exotel-ws*' --no-legend", check=False).stdout == ""


def test_rollback_on_a_bare_host_says_that_there_is_nothing(host: LabHost) -> None:
    done = play("playbooks/rollback.yml", inventory=host.inventory)
    assert done.rc != 0
    assert "deploy.yml" in done.stdout


# -- deploy ------------------------------------------------------------------------------------------------------------


def test_first_deploy_clears_a_foreign_zombie_from_the_port_and_serves(host: LabHost) -> None:
    zombie = (
        "import os, signal, socket, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"s = socket.create_server(('0.0.0.0', {PORT})); time.sleep(600)"
    )
    host.run(f'setsid --fork python3 -c "{zombie}" >/dev/null 2>&1')
    wait_until("the zombie holds the port", lambda: str(PORT) in host.run("ss -Hltn").stdout)
    done = deploy(host)
    assert done.rc == 0, done.stdout
    assert f"{url(host)}?sample-rate=8000" in "\n".join(done.stdout.splitlines()[-20:])
    assert "systemd" in host.run(f"sudo ss -Hltnp 'sport = :{PORT}'").stdout
    assert len(instances(host, "active")) == 2


def test_second_deploy_changes_nothing(host: LabHost) -> None:
    before = current(host)
    done = deploy(host)
    assert (done.rc, done.changed) == (0, 0), done.stdout
    assert current(host) == before


def test_check_mode_on_a_deployed_host_shows_the_difference_and_changes_nothing(host: LabHost) -> None:
    before = current(host)
    unchanged = deploy(host, "--check", "--diff")
    assert (unchanged.rc, unchanged.changed) == (0, 0), unchanged.stdout
    changed = deploy(host, "--check", "--diff", "-e", "exotel_ws_max_calls=77")
    assert changed.rc == 0, changed.stdout
    assert changed.changed > 0
    assert "max_calls = 77" in changed.stdout
    assert current(host) == before


def test_health_is_the_guides_byte_for_byte_from_the_controller(host: LabHost) -> None:
    assert get(host, "/health") == '{"status":"ok","service":"exotel-passthrough","mode":"echo"}'


def test_the_sandbox_is_tight(host: LabHost) -> None:
    instance = instances(host, "active")[0]
    verdict = host.run(f"systemd-analyze security --no-pager exotel-ws@{instance}.service | tail -n 1").stdout
    score = re.search(r"([0-9.]+) (?:OK|SAFE)", verdict)
    assert score, verdict
    assert float(score[1]) <= 1.5, verdict


def test_one_call_is_one_story_in_the_journal(host: LabHost) -> None:
    made = subprocess.run(
        [str(Path(sys.executable).with_name("exotelctl")), "call", url(host), "--seconds", "1", "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    lines = host.run("sudo journalctl --namespace=+exotel-ws -o json --since -60s -t exotel-ws").stdout.splitlines()
    starts = [entry for entry in map(json.loads, lines) if "START EVENT" in str(entry["MESSAGE"])]
    assert starts
    story = host.run(f"sudo journalctl --namespace=+exotel-ws -o cat CALL_SID={starts[-1]['CALL_SID']}").stdout
    assert "START EVENT" in story
    assert "STOP EVENT" in story
    assert "WebSocket connected" not in story  # before the call sent its id


def test_metrics_of_one_scrape_speak_for_all_workers(host: LabHost) -> None:
    with traffic(host, held=20, arrivals=0) as reports:
        sleep(2)  # each worker publishes once a second
        # Metrics are for the host itself, unless the inventory lists who else may read them.
        with pytest.raises(urllib.error.HTTPError, match=r"404"):
            get(host, "/metrics")
        read = f"import urllib.request as r; print(r.urlopen('http://127.0.0.1:{PORT}/metrics', timeout=5).read().decode())"
        text = host.run(f"python3 -c {shlex.quote(read)}").stdout
    assert re.search(r"^exotel_ws_calls_live 20\.0$", text, re.MULTILINE), text
    assert len(re.findall(r"^exotel_ws_workers\{", text, re.MULTILINE)) == 1
    assert_nobody_noticed(reports[0], 20)


# -- under load --------------------------------------------------------------------------------------------------------


def test_a_new_release_under_load_is_noticed_by_no_caller(host: LabHost, trees: Path) -> None:
    old = current(host)
    with traffic(host) as reports:
        done = deploy(host, source=releases.another_release(trees / f"{host.suite}-good"))
        assert done.rc == 0, done.stdout
        new = current(host)
        assert new != old
        draining = instances(host, "deactivating")
        assert draining, "the held calls are still on the old generation"
        assert all(instance.startswith(old) for instance in draining)
    assert_nobody_noticed(reports[0], 250)
    wait_until("the old generation ends by itself", lambda: not instances(host, "deactivating"))
    assert all(instance.startswith(new) for instance in instances(host, "active"))


def test_rollback_under_load_is_noticed_by_no_caller(host: LabHost) -> None:
    from_generation = current(host)
    with traffic(host) as reports:
        done = play("playbooks/rollback.yml", inventory=host.inventory)
        assert done.rc == 0, done.stdout
    assert current(host) != from_generation
    assert_nobody_noticed(reports[0], 210)
    wait_until("the other generation ends by itself", lambda: not instances(host, "deactivating"))


def test_rollback_to_an_unknown_generation_names_those_that_exist(host: LabHost) -> None:
    done = play("playbooks/rollback.yml", "-e", "exotel_ws_generation=20000101T000000-00000000", inventory=host.inventory)
    assert done.rc != 0
    assert current(host) in done.stdout


@pytest.mark.parametrize(
    ("sabotage", "evidence"),
    [
        (releases.release_that_does_not_start, "this release can not start: a saboteur was here"),
        (releases.release_that_never_gets_healthy, "[conn_"),  # it took calls, which its journal has
    ],
    ids=["does-not-start", "never-healthy"],
)
def test_a_broken_release_leaves_the_old_one_serving_and_shows_its_journal(
    host: LabHost, trees: Path, sabotage: Callable[[Path], Path], evidence: str
) -> None:
    before, serving = current(host), instances(host, "active")
    with traffic(host, held=20, arrivals=5) as reports:
        done = deploy(host, "-e", releases.SOON, source=sabotage(trees / f"{host.suite}-broken-{evidence[:4].strip()}"))
    assert done.rc != 0
    assert evidence in done.stdout
    assert (current(host), instances(host, "active")) == (before, serving)
    assert instances(host, "failed") == []
    assert_nobody_noticed(reports[0], 20)


def test_two_deploys_at_once_are_refused_by_the_holders_name(host: LabHost) -> None:
    hold = f"sudo install -d -m 700 {LOCK.parent}; sudo flock {LOCK} -c 'echo night shift > {LOCK}; cat'"
    with subprocess.Popen([*host._ssh(), hold], stdin=subprocess.PIPE) as holder:
        wait_until("the lock is held", lambda: host.run(f"sudo flock -n {LOCK} true", check=False).returncode)
        done = deploy(host, "-e", "exotel_ws_max_calls=78")
        holder.communicate(timeout=30)
    assert done.rc != 0
    assert "night shift" in done.stdout


# -- faults ------------------------------------------------------------------------------------------------------------


def test_sigkill_of_a_serving_process_is_back_within_2_s_and_refuses_nobody(host: LabHost) -> None:
    instance = instances(host, "active")[0]
    with traffic(host, held=0, arrivals=20) as reports:
        sleep(1)
        pid = host.run(f"systemctl show -P MainPID exotel-ws@{instance}").stdout.strip()
        host.run(f"sudo kill -KILL {pid}")
        killed = monotonic()
        restarted = f"systemctl show -P MainPID exotel-ws@{instance}; systemctl is-active exotel-ws@{instance}"

        def is_back() -> bool:
            pid_now, state = host.run(restarted, check=False).stdout.split()
            return state == "active" and pid_now not in ("0", pid)

        wait_until("the worker is back", is_back, timeout_s=2.0)
        print(f"back after {monotonic() - killed:.2f} s")
        sleep(2)
    assert reports[0].refused == 0, reports[0]


def test_a_reboot_comes_back_serving(host: LabHost) -> None:
    host.reboot()
    wait_until("serving after the reboot", lambda: len(instances(host, "active")) == 2)
    done = play("playbooks/verify.yml", inventory=host.inventory)
    assert done.rc == 0, done.stdout
    again = deploy(host)
    assert (again.rc, again.changed) == (0, 0), again.stdout


def test_status_tells_what_serves(host: LabHost) -> None:
    done = play("playbooks/status.yml", inventory=host.inventory)
    assert (done.rc, done.changed) == (0, 0), done.stdout
    assert current(host) in done.stdout
    assert "serving" in done.stdout


def test_preflight_names_a_misspelt_variable(host: LabHost) -> None:
    done = deploy(host, "-e", "exotel_ws_prot=8765")
    assert done.rc != 0
    assert "exotel_ws_prot" in done.stdout
    assert "exotel_ws_port" in done.stdout


def test_a_changed_port_moves_new_calls_and_keeps_the_live_ones(host: LabHost) -> None:
    with traffic(host, held=20, arrivals=0) as reports:
        done = deploy(host, "-e", "exotel_ws_port=9000", "-e", "exotel_ws_accept=port")
        assert done.rc == 0, done.stdout
        assert "calls to 8765 are refused" in done.stdout
        with urllib.request.urlopen(f"http://{host.address}:9000/health", timeout=5) as answer:
            assert answer.status == 200
        wait_until("the old port is refused, not left hanging", lambda: not _connects(host, PORT), timeout_s=15)
    assert_nobody_noticed(reports[0], 20)


def test_credentials_and_the_other_engine(host: LabHost) -> None:
    token = "a-token-of-the-lab"
    settings = {"exotel_ws_engine": "websockets", "exotel_ws_credentials": [f"KEY:{token}"], "exotel_ws_port": 9000}
    done = deploy(host, "--diff", "-vv", "-e", json.dumps(settings))
    assert done.rc == 0, done.stdout  # its verification showed the credential, and its call was echoed
    assert "ws://USER:TOKEN@" in done.stdout
    told = done.stdout.replace(json.dumps(settings), "")  # what the command line itself said
    assert token not in told
    command = [str(Path(sys.executable).with_name("exotelctl")), "call", f"ws://{host.address}:9000", "--seconds", "1"]
    uninvited = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert uninvited.returncode == 1, uninvited.stdout
    assert "1008" in uninvited.stdout + uninvited.stderr
    assert token not in host.run("sudo journalctl --namespace=+exotel-ws -o export -t exotel-ws").stdout


def _connects(host: LabHost, port: int) -> bool:
    try:
        socket.create_connection((host.address, port), timeout=2).close()
    except ConnectionRefusedError:
        return False
    return True
