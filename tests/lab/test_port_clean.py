"""``port-clean`` on a real host: every class of holder is made, told apart, and treated by the one action that is safe.

Round each clean-up stand bystanders that write down any signal they get: clients of the port, the holder's parent and child,
a process of the same name. No container engine runs here and none is needed: a container's door is known by its name.
"""

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.lab.labhost import REPO, HostSpec, LabHost, bring_up, play, take_down
from tests.lab.releases import copy_of_tree
from tests.lab.test_deploy import traffic, wait_until

SPEC = HostSpec("exo-t25", "bookworm", "198.18.65.125")
CALLS, PORT, DECOY = 8765, 8009, 8010
HOLDER = REPO / "tests/tools_live/holder.py"
SLICE = "portclean.slice"
LIST_PROCESSES = "ps -eo pid=,stat=,args="


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    """Yield a host for this module alone: a clean-up that goes wrong would end the calls of other tests."""
    inventory = tmp_path_factory.mktemp(SPEC.name) / "hosts.yml"
    [host] = bring_up([SPEC], inventory)
    tree = copy_of_tree(tmp_path_factory.mktemp("tree"))
    done = play("deploy.yml", "-e", f"exotel_ws_source={tree}", inventory=inventory)
    assert done.rc == 0, done.stdout
    put(host, "/tmp/holder.py", HOLDER.read_text())
    yield host
    host.disconnect()
    take_down([SPEC], inventory)


def put(host: LabHost, path: str, text: str) -> None:
    host.run(f"echo {base64.b64encode(text.encode()).decode()} | base64 -d | sudo tee {path} >/dev/null")


@dataclass
class Stage:
    """Holders and bystanders on the host, each in a scope like a program that somebody started by hand."""

    host: LabHost
    logs: list[str] = field(default_factory=list)

    def start(self, way: str, port: int = PORT, *, python: str = "python3", service: bool = False) -> int:
        """Start a process and return its pid once it listens or is connected."""
        log = f"/tmp/portclean-{len(self.logs)}.log"
        self.logs.append(log)
        manage = "--property=KillMode=none --unit=portclean-service" if service else "--scope"
        shell = f"exec {python} /tmp/holder.py {way} {port} >{log} 2>&1 </dev/null"
        self.host.run(
            f"sudo rm -f {log}; sudo setsid --fork systemd-run {manage} --quiet --collect --slice={SLICE} sh -c '{shell}' "
            "</dev/null >/dev/null 2>&1"
        )
        return self.ready(log)

    def ready(self, log: str) -> int:
        def said() -> re.Match[str] | None:
            return re.search(r"^ready (\d+)$", self.host.run(f"sudo cat {log}", check=False).stdout, re.MULTILINE)

        wait_until(f"{log} says ready", said, 10)
        found = said()
        assert found
        return int(found[1])

    def signals(self) -> str:
        """Return the signals that the bystanders have written down."""
        return self.host.run(f"sudo grep -H signal {' '.join(self.logs)}", check=False).stdout


@pytest.fixture
def stage(host: LabHost) -> Iterator[Stage]:
    """Yield a stage; all that a test started there is in one cgroup and ends with the test."""
    yield Stage(host)
    host.run(
        f"for group in {SLICE} intruder.scope; do echo 1 | sudo tee /sys/fs/cgroup/$group/cgroup.kill; done; "
        "sudo systemctl stop portclean-service.service portclean-foreign.socket; sudo systemctl reset-failed",
        check=False,
    )


def clean(host: LabHost, *arguments: str, port: int = PORT) -> tuple[int, dict[str, Any]]:
    done = host.run(f"sudo exotelctl port-clean --json --timeout 2 --port {port} {' '.join(arguments)}", check=False)
    assert done.stdout.startswith("{"), done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, made


def decided(made: dict[str, Any]) -> dict[int, tuple[str, str]]:
    return {holder["pid"]: (holder["kind"], holder["action"]) for holder in made["holders"]}


def kinds(made: dict[str, Any]) -> list[str]:
    return [holder["kind"] for holder in made["holders"]]


def processes(host: LabHost) -> set[int]:
    """Return all processes of the host except zombies and the one that lists them."""
    lines = (line.split(None, 2) for line in host.run(LIST_PROCESSES).stdout.splitlines())
    return {int(pid) for pid, state, command in lines if command != LIST_PROCESSES and (state[0] != "Z" or "l" in state)}


# -- holders that are ended --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "stop", "call", "kind", "outcome"),
    [
        ("family", False, True, "process", "ended"),
        ("hangs", False, True, "hung", "ended"),
        ("orphan", False, True, "orphan", "ended"),
        ("ipv6", False, False, "orphan", "ended"),
        ("ignores_term", False, True, "orphan", "killed"),
        ("plain", True, True, "stopped", "ended"),
        ("headless", False, True, "headless", "ended"),
        ("leaks_to_child", False, True, "orphan", "ended"),
    ],
)
def test_nothing_but_the_named_holder_gets_a_signal(
    host: LabHost, stage: Stage, way: str, stop: bool, call: bool, kind: str, outcome: str
) -> None:
    held = stage.start(way)
    stage.start("decoy", DECOY)
    if call:
        stage.start("client")
    if stop:
        host.run(f"sudo kill -STOP {held}")
    before = processes(host)
    code, made = clean(host, "--yes")
    assert decided(made) == {held: (kind, "end")}
    assert [(ending["pid"], ending["outcome"]) for ending in made["endings"]] == [(held, outcome)]
    assert (code, made["verdict"], made["free"]) == (0, "cleaned", True), made
    assert before - processes(host) == {held}
    assert stage.signals() == ""


def test_a_prefork_server_and_the_child_that_inherited_its_socket(host: LabHost, stage: Stage) -> None:
    held = stage.start("prefork")
    stage.start("client")
    code, made = clean(host, "--yes")
    assert made["holders"][0]["pid"] == held
    assert kinds(made)[1:] == ["inherited"]
    assert (code, made["free"], stage.signals()) == (0, True, "")


def test_a_process_that_outlived_its_service(host: LabHost, stage: Stage) -> None:
    held = stage.start("plain", service=True)
    code, made = clean(host, "--yes")
    assert decided(made) == {held: ("service", "refuse")}
    assert made["holders"][0]["instead"] == "systemctl stop portclean-service.service"
    assert (code, made["endings"]) == (3, [])
    host.run(made["holders"][0]["instead"].replace("systemctl", "sudo systemctl", 1))
    code, made = clean(host, "--yes")
    assert decided(made) == {held: ("leftover", "end")}
    assert (code, made["verdict"]) == (0, "cleaned")


def test_time_wait_is_nothing_to_kill(host: LabHost) -> None:
    host.run(
        'python3 -c \'import socket; s = socket.create_server(("127.0.0.1", 8009)); '
        'c = socket.create_connection(("127.0.0.1", 8009)); a = s.accept()[0]; a.close(); c.recv(1); c.close()\''
    )
    code, made = clean(host, "--yes")
    assert made["time_wait"] >= 1
    assert "TIME_WAIT" in made["reason"]
    assert (code, made["verdict"], made["holders"], made["free"]) == (0, "free", [], True)


# -- holders that are refused ------------------------------------------------------------------------------------------


def test_a_foreign_socket_unit_held_by_pid_1(host: LabHost, stage: Stage) -> None:
    host.run(f"sudo systemd-run --quiet --socket-property=ListenStream={PORT} --unit=portclean-foreign sleep 60")
    code, made = clean(host, "--yes", "--force")
    assert (code, decided(made)) == (3, {1: ("socket-unit", "refuse")})
    assert made["holders"][0]["instead"] == "systemctl stop portclean-foreign.socket"
    host.run("sudo systemctl stop portclean-foreign.socket")
    assert clean(host, "--yes")[1]["verdict"] == "free"


def test_a_containers_door(host: LabHost, stage: Stage) -> None:
    """A container's door is left alone. A stand-in has its name, as no container engine runs here."""
    host.run("sudo cp /usr/bin/python3 /usr/local/bin/docker-proxy")
    held = stage.start("plain", python="docker-proxy")
    code, made = clean(host, "--yes")
    assert (code, decided(made)) == (3, {held: ("container-proxy", "refuse")})
    assert f"publish={PORT}" in made["holders"][0]["instead"]


def test_a_supervised_process(host: LabHost, stage: Stage) -> None:
    held = stage.start("supervised")
    code, made = clean(host, "--yes")
    assert (code, decided(made)) == (3, {held: ("supervised", "refuse")})
    assert "pm2 delete" in made["holders"][0]["instead"]


# -- our own port ------------------------------------------------------------------------------------------------------


def test_live_units_are_found_without_a_look_at_every_process(host: LabHost) -> None:
    code, made = clean(host, "--yes", port=CALLS)
    assert (code, made["verdict"], made["only_ours"], made["everywhere"]) == (3, "refused", True, False)
    assert kinds(made) == ["our-socket", "our-service", "our-service"]
    assert made["families"] == {"tcp4": 1, "tcp6": 0}


def test_a_stray_beside_our_socket_is_ended_and_no_call_is_cut(host: LabHost, stage: Stage) -> None:
    """A process that listens on IPv6, where our socket unit does not, is ended and no call is cut."""
    with traffic(host, held=4, arrivals=2) as reports:
        stray = stage.start("ipv6", CALLS)
        code, made = clean(host, "--yes", port=CALLS)
        assert decided(made)[stray] == ("orphan", "end")
        assert [ending["pid"] for ending in made["endings"]] == [stray]
        assert (code, made["verdict"]) == (0, "cleaned")
    assert (reports[0].refused, reports[0].dropped, reports[0].wrong) == (0, 0, 0), reports


def test_force_does_not_cut_live_calls(host: LabHost) -> None:
    with traffic(host, held=8, arrivals=0) as reports:
        code, made = clean(host, "--yes", "--force", port=CALLS)
        assert sum(holder["calls"] or 0 for holder in made["holders"]) == 8
        assert (code, made["endings"]) == (3, [])
    assert reports[0].dropped == 0, reports


def test_a_draining_generation_is_never_ended(host: LabHost) -> None:
    with traffic(host, held=8, arrivals=0) as reports:
        _, made = clean(host, "--dry-run", port=CALLS)
        worker = max(made["holders"], key=lambda holder: holder["calls"] or 0)
        with stopped(host, worker["unit"]):
            code, made = clean(host, "--yes", port=CALLS)
            draining = next(holder for holder in made["holders"] if holder["pid"] == worker["pid"])
            assert (draining["kind"], draining["action"], draining["calls"]) == ("draining", "keep", worker["calls"])
            assert f"{worker['calls']} call" in draining["why"]
            assert (code, made["only_ours"], made["endings"]) == (3, True, [])
            assert clean(host, "--yes", "--force", port=CALLS)[1]["endings"] == []
    assert reports[0].dropped == 0, reports
    wait_until("both workers serve", lambda: kinds(clean(host, "--dry-run", port=CALLS)[1])[1:] == ["our-service"] * 2)


@contextmanager
def stopped(host: LabHost, unit: str) -> Iterator[None]:
    """Drain the unit while the block runs; start it again when its calls are over."""
    host.run(f"sudo systemctl stop --no-block {unit}")
    state = f"systemctl show --property=ActiveState --value {unit}"
    wait_until("it drains", lambda: host.run(state).stdout.strip() == "deactivating", 10)
    try:
        yield
    finally:
        host.run(f"sudo systemctl start --no-block {unit}")


INTRUDER = f"""\
[Unit]
CollectMode=inactive-or-failed
[Service]
Sockets=exotel-ws.socket
NonBlocking=yes
ExecStart=/usr/bin/python3 /tmp/holder.py intruder {CALLS}
StandardOutput=file:/tmp/portclean-intruder.log
"""


def test_a_stranger_with_our_own_listening_socket(host: LabHost, stage: Stage) -> None:
    """The thorough look finds a stranger that is idle; any look finds one that has a connection. Our workers are kept."""
    put(host, "/run/systemd/system/portclean-intruder.service", INTRUDER)
    host.run("sudo rm -f /tmp/portclean-intruder.log; sudo systemctl daemon-reload; sudo systemctl start portclean-intruder")
    intruder = stage.ready("/tmp/portclean-intruder.log")
    try:
        assert intruder not in decided(clean(host, "--dry-run", port=CALLS)[1])
        _, made = clean(host, "--dry-run", "--thorough", port=CALLS)
        assert decided(made)[intruder] == ("intruder", "end")
        steal(host, stage, intruder)
        code, made = clean(host, "--yes", port=CALLS)
        assert sorted(kinds(made)) == ["intruder", "our-service", "our-service", "our-socket"]
        assert [(ending["pid"], ending["outcome"]) for ending in made["endings"]] == [(intruder, "ended")]
        assert (code, made["verdict"], stage.signals()) == (0, "cleaned", "")
    finally:
        host.run("sudo rm /run/systemd/system/portclean-intruder.service; sudo systemctl daemon-reload")


def steal(host: LabHost, stage: Stage, intruder: int) -> None:
    """Hold the workers still until the intruder has accepted a connection before them."""
    workers = " ".join(str(holder["pid"]) for holder in clean(host, "--dry-run", port=CALLS)[1]["holders"][1:3])
    host.run(f"sudo kill -STOP {workers}")
    try:
        stage.start("client", CALLS)
        host.run(f"sudo kill -USR1 {intruder}")
        wait_until("it took the call", lambda: "took" in host.run("cat /tmp/portclean-intruder.log").stdout, 10)
    finally:
        host.run(f"sudo kill -CONT {workers}")


# -- several ports, receipts, the playbook -----------------------------------------------------------------------------


def test_several_ports_and_the_receipts_in_the_journal(host: LabHost, stage: Stage) -> None:
    held = stage.start("family")
    done = host.run(f"sudo exotelctl port-clean --json --yes --port {CALLS} --port {PORT}", check=False)
    ours, freed = json.loads(done.stdout)["ports"]
    assert (done.returncode, ours["verdict"], freed["verdict"]) == (3, "refused", "cleaned")
    entries = host.run(f"sudo journalctl --output=json EVENT=port_clean HOLDER_PID={held}").stdout.splitlines()
    plan, end = (json.loads(entry) for entry in entries)
    assert (plan["STAGE"], plan["PORT"], plan["HOLDER_KIND"], plan["REQUESTED_BY"]) == ("plan", str(PORT), "process", "operator")
    assert (end["STAGE"], end["OUTCOME"], end["SIGNALS"]) == ("done", "ended", "SIGTERM")
    last = json.loads(host.run("sudo journalctl --output=json --lines=1 EVENT=port_clean").stdout)
    assert (last["STAGE"], last["VERDICT"], last["PORT_STATE"]) == ("proof", "cleaned", "free")


def cleanup(host: LabHost, *arguments: str) -> Any:
    return play("playbooks/port_cleanup.yml", "-e", f"ports={CALLS},{PORT}", *arguments, inventory=host.inventory)


def test_the_playbook(host: LabHost, stage: Stage) -> None:
    held = stage.start("family")
    looked = cleanup(host, "--check")
    assert (looked.rc, looked.changed) == (0, 1), looked.stdout
    assert f"would end pid {held}" in looked.stdout
    assert decided(clean(host, "--dry-run")[1]) == {held: ("process", "end")}
    done = cleanup(host)
    assert (done.rc, done.changed) == (0, 1), done.stdout
    assert f"pid {held}, " in done.stdout
    assert "a process that no unit manages → ended" in " ".join(done.stdout.split())
    again = cleanup(host)
    assert (again.rc, again.changed) == (0, 0), again.stdout
    assert stage.signals() == ""


def test_the_playbook_fails_where_a_port_is_still_held(host: LabHost, stage: Stage) -> None:
    stage.start("supervised")
    done = cleanup(host)
    assert (done.rc != 0, done.changed) == (True, 0), done.stdout
    assert f"Port {PORT} is still held" in done.stdout
    assert "pm2 delete" in done.stdout
