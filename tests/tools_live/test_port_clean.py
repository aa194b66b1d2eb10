"""``port-clean`` against real processes: holders end, the port is proven free, nothing else gets a signal."""

import contextlib
import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils.requester import person
from exotel_phone.exits import Exit
from exotelctl import privileges
from exotelctl.options import PortCleanOptions
from exotelctl.port import apply, bound, diag, proof, receipt, units, verb
from exotelctl.port import gather as gathering
from exotelctl.port.gather import gather

from .own_ports import free_port

HOLDER = Path(__file__).with_name("holder.py")
Start = Callable[..., "Held"]


class Held:
    """Running holder. ``pid`` is the process that has the port, maybe not the one that was started."""

    def __init__(self, way: str, *ports: int) -> None:
        arguments = [sys.executable, str(HOLDER), way, *map(str, ports)]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        word, pid = self.read_line().split()
        assert word == "ready"
        self.seen = psutil.Process(int(pid))
        self.pid = int(pid)

    def read_line(self, within_s: float = 10.0) -> str:
        assert self.process.stdout is not None
        found, _, _ = select.select([self.process.stdout], [], [], within_s)
        return self.process.stdout.readline() if found else ""

    @property
    def alive(self) -> bool:
        if self.process.pid == self.pid and self.process.poll() is not None:
            return False
        return self.seen.is_running() and self.seen.status() != psutil.STATUS_ZOMBIE

    def end(self) -> None:
        """End the processes that the test left."""
        for each in (self.seen, psutil.Process(self.process.pid) if self.process.poll() is None else None):
            if each is None or not each.is_running():
                continue
            for child in each.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        self.process.wait(5)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def port() -> int:
    """Return a port that nothing holds."""
    return free_port()


@pytest.fixture
def start(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Yield a function that starts holders of ``port``, seen outside of the service that the tests may run in."""
    monkeypatch.setattr(units, "of_cgroup", lambda _text: units.NONE)
    with contextlib.ExitStack() as stack:

        def make(way: str, *more: int) -> Held:
            held = Held(way, port, *more)
            stack.callback(held.end)
            return held

        yield make


def clean(port: int, capsys: pytest.CaptureFixture[str], *, timeout_s: float = 5.0, **flags: bool) -> tuple[Exit, dict[str, Any]]:
    given = {"yes": True, **flags}
    capsys.readouterr()
    code = verb.run(PortCleanOptions([port], timeout=timeout_s, **given, json=True))
    return code, json.loads(capsys.readouterr().out)


def decided(made: dict[str, Any]) -> dict[int, tuple[str, str]]:
    return {holder["pid"]: (holder["kind"], holder["action"]) for holder in made["holders"]}


def test_a_process_that_ends_while_its_unit_is_looked_up_holds_nothing(
    port: int, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker ends after its last call; its unit is inactive then, and it did not outlive it."""
    held = start("plain")
    monkeypatch.setattr(units, "of_cgroup", lambda _text: units.Unit("exotel-ws@20261129T120000-0123abcd-1.service", False))

    def inactive(names: Iterable[str]) -> dict[str, str]:
        held.process.kill()
        held.process.wait(5)
        return dict.fromkeys(names, "inactive")

    monkeypatch.setattr(units, "active_states", inactive)
    assert held.pid not in {holder.pid for holder in gather(port).holders}


@pytest.mark.parametrize(
    ("way", "kind", "says"),
    [
        ("only_bound", "bound", "has bound 127.0.0.1:{port} and does not listen"),
        ("outgoing", "connected", "uses {port} as the local port of a connection: 127.0.0.1:{port} → 127.0.0.1:"),
    ],
)
def test_who_holds_the_port_without_listening_is_named_and_left_alone(
    way: str, kind: str, says: str, port: int, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    held = start(way)
    for dry_run in (True, False):
        code, made = clean(port, capsys, dry_run=dry_run)
        assert (code, made["plan"]) == (Exit.OK if dry_run else Exit.REFUSED, "refused")
        assert decided(made) == {held.pid: (kind, "refuse")}
        assert says.format(port=port) in made["holders"][0]["why"]
        assert f"pid {held.pid} (python" in made["reason"]
        assert "Address already in use" in made["reason"]
        assert made["holders"][0]["instead"].endswith(f"kill {held.pid}")
    if kind == "connected":
        assert "sysctl -w net.ipv4.ip_local_reserved_ports=" in made["holders"][0]["instead"]
        assert "ip_local_reserved_ports" in made["reason"]
    assert held.alive
    held.end()
    assert clean(port, capsys)[1]["verdict"] == "free"


def test_an_older_kernel_lists_no_bound_socket_and_the_process_is_found_all_the_same(
    port: int, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = start("only_bound")
    monkeypatch.setattr(diag, "only_bound", lambda _port: [])
    assert bound.on_port(port, [os.getpid(), held.pid]) == {held.pid: f"127.0.0.1:{port}"}


def test_a_newer_kernel_lists_it(port: int, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 8):
        pytest.skip("this kernel does not list sockets that are only bound")
    held = start("only_bound")
    monkeypatch.setattr(bound, "_asked", lambda _port, _pids: {})
    assert bound.on_port(port, [os.getpid(), held.pid]) == {held.pid: f"127.0.0.1:{port}"}


def test_root_without_a_capability_is_told_which(
    port: int, start: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = start("plain")
    monkeypatch.setattr(gathering, "lacking", lambda *names: names)
    monkeypatch.setattr(gathering.process, "holding", lambda *_: {})
    code, made = clean(port, capsys)
    assert (code, made["verdict"]) == (Exit.PROBLEM, "unseen")
    assert "this root lacks CAP_SYS_PTRACE (in a container?)" in made["reason"]
    assert "needs root" not in made["reason"]
    assert held.alive


def test_root_that_may_not_signal_is_told_which_capability_lacks(
    port: int, start: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start("plain")

    def forbidden(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(signal, "pidfd_send_signal", forbidden)
    monkeypatch.setattr(privileges, "lacking", lambda *names: names)
    verb.run(PortCleanOptions([port], yes=True, timeout=0.1))
    said = capsys.readouterr().out
    assert "may not be signalled: this root lacks CAP_KILL (in a container?)" in said
    assert "needs root" not in said


def ended(made: dict[str, Any]) -> dict[int, tuple[str, list[str]]]:
    return {ending["pid"]: (ending["outcome"], ending["signals"]) for ending in made["endings"]}


TERM, CONT, KILL = "SIGTERM", "SIGCONT", "SIGKILL"


@pytest.mark.parametrize(
    ("way", "kind", "outcome", "signals"),
    [
        ("plain", "process", "ended", [TERM]),
        ("ipv6", "process", "ended", [TERM]),
        ("slow", "process", "ended", [TERM]),
        ("orphan", "orphan", "ended", [TERM]),
        ("leaks_to_child", "orphan", "ended", [TERM]),
        ("closes_its_listener", "process", "released", [TERM]),
    ],
)
def test_ended_by_sigterm(
    way: str, kind: str, outcome: str, signals: list[str], port: int, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    held = start(way)
    code, made = clean(port, capsys)
    assert decided(made) == {held.pid: (kind, "end")}
    assert ended(made) == {held.pid: (outcome, signals)}
    assert (code, made["verdict"], made["free"]) == (Exit.OK, "cleaned", True)
    assert held.alive == (way == "closes_its_listener")
    assert gather(port).listeners == ()


def test_one_that_ignores_sigterm_is_killed_after_the_wait(port: int, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    held = start("ignores_term")
    began = time.monotonic()
    code, made = clean(port, capsys, timeout_s=0.5)
    assert ended(made) == {held.pid: ("killed", [TERM, KILL])}
    assert time.monotonic() - began >= 0.5
    assert (code, made["free"], held.alive) == (Exit.OK, True, False)


def test_a_stopped_one_is_continued_so_that_it_can_end(port: int, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    held = start("plain")
    os.kill(held.pid, signal.SIGSTOP)
    os.waitpid(held.pid, os.WUNTRACED)
    code, made = clean(port, capsys)
    assert decided(made) == {held.pid: ("stopped", "end")}
    assert made["holders"][0]["state"] == "stopped"
    assert ended(made) == {held.pid: ("ended", [TERM, CONT])}
    assert (code, held.alive) == (Exit.OK, False)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the holder makes a raw system call by its number")
def test_a_headless_process_is_found_and_killed(port: int, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """A headless process is found and killed, though ss, lsof and psutil show no owner: its leading thread is a zombie."""
    held = start("headless")
    assert os.listdir(f"/proc/{held.pid}/task")[1:], "it has a second thread"
    code, made = clean(port, capsys, timeout_s=1.0)
    assert decided(made) == {held.pid: ("headless", "end")}
    assert ended(made)[held.pid][0] in ("ended", "killed")
    assert (code, made["free"]) == (Exit.OK, True)


def test_every_reuseport_holder_is_ended(port: int, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = start("reuseport"), start("reuseport")
    code, made = clean(port, capsys)
    assert len(made["listeners"]) == 2
    assert set(ended(made)) == {one.pid, two.pid}
    assert (code, one.alive, two.alive) == (Exit.OK, False, False)


def test_ipv4_and_ipv6_at_once(port: int, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    four, six = start("plain"), start("ipv6")
    code, made = clean(port, capsys)
    assert {item["family"] for item in made["listeners"]} == {"tcp4", "tcp6"}
    assert set(ended(made)) == {four.pid, six.pid}
    assert code == Exit.OK


def test_a_prefork_server_leaves_no_child_behind(port: int, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """A prefork server leaves no child behind, though its parent ignores SIGTERM and replaces ended children."""
    held = start("prefork")
    code, made = clean(port, capsys, timeout_s=0.5)
    assert decided(made)[held.pid] == ("process", "end")
    assert [kind for pid, (kind, _) in decided(made).items() if pid != held.pid] == ["inherited"]
    assert (code, made["free"]) == (Exit.OK, True)


def test_a_connected_client_never_gets_a_signal(port: int, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    held, bystander = start("plain"), start("client")
    code, made = clean(port, capsys)
    assert made["connections"] >= 1
    assert set(decided(made)) == {held.pid}
    assert code == Exit.OK
    assert bystander.read_line(0.3) == ""
    assert bystander.alive


def test_a_client_connected_from_the_same_port_number_is_not_a_holder(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A client connected from the same port number is no holder: an outgoing connection may use it as its local port."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as mine:
        mine.bind(("127.0.0.1", port))
        mine.connect(server.getsockname())
        code, made = clean(port, capsys)
    assert (made["listeners"], made["holders"], made["endings"]) == ([], [], [])
    assert (code, made["verdict"], made["free"]) == (Exit.PROBLEM, "not-proven", False)
    assert "Address already in use" in made["proof"]


def test_nothing_listens(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    code, made = clean(port, capsys)
    assert (code, made["verdict"], made["endings"]) == (Exit.OK, "free", [])
    assert made["free"] is True


def test_time_wait_alone_is_nothing_to_kill(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", port)) as server:
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()
        client.recv(1)
        client.close()
    code, made = clean(port, capsys)
    assert made["time_wait"] >= 1
    assert "TIME_WAIT" in made["reason"]
    assert (code, made["verdict"], made["free"]) == (Exit.OK, "free", True)


@pytest.mark.parametrize(
    ("flags", "code", "verdict"),
    [({"yes": False}, Exit.REFUSED, "no-consent"), ({"yes": True, "dry_run": True}, Exit.OK, "dry-run")],
)
def test_plan_only(
    flags: dict[str, bool], code: Exit, verdict: str, port: int, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    held = start("plain")
    said, made = clean(port, capsys, **flags)
    assert (said, made["verdict"]) == (code, verdict)
    assert decided(made) == {held.pid: ("process", "end")}
    assert made["endings"] == []
    assert held.alive


def test_the_own_process_is_never_signalled(port: int, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """The own process is never signalled: while it holds the port, even a stray beside it on IPv6 is left alone."""
    stray = start("ipv6")
    with socket.create_server(("127.0.0.1", port)):
        code, made = clean(port, capsys, force=True)
    assert decided(made) == {os.getpid(): ("protected", "refuse"), stray.pid: ("process", "end")}
    assert (code, made["verdict"], made["endings"]) == (Exit.REFUSED, "refused", [])
    assert stray.alive


def test_a_managed_process_is_refused_and_forced(
    port: int, start: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = start("plain")
    monkeypatch.setattr(units, "of_cgroup", lambda _text: units.Unit("exotel-ws@g-1.service", False))
    monkeypatch.setattr(units, "active_states", lambda _units: {"exotel-ws@g-1.service": "active"})
    code, made = clean(port, capsys)
    assert decided(made) == {held.pid: ("our-service", "refuse")}
    assert "ansible-playbook deploy.yml" in made["holders"][0]["instead"]
    assert (code, held.alive) == (Exit.REFUSED, True)
    code, made = clean(port, capsys, force=True)
    assert ended(made) == {held.pid: ("ended", [TERM])}
    assert (code, held.alive) == (Exit.OK, False)


def test_one_that_comes_back_is_told_with_who_holds_now(
    port: int, start: Start, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder that a supervisor restarts is reported with its new process, and not ended again: it has a new socket."""
    start("plain")
    replaced: list[Held] = []
    end = apply.end

    def end_and_come_back(*arguments: Any) -> Any:
        endings = end(*arguments)
        replaced.append(start("plain"))
        return endings

    monkeypatch.setattr(apply, "end", end_and_come_back)
    code, made = clean(port, capsys)
    assert (code, made["verdict"]) == (Exit.PROBLEM, "still-held")
    assert [holder["pid"] for holder in made["still_held_by"]] == [replaced[0].pid]
    assert len(replaced) == 1
    assert replaced[0].alive


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "exotelctl", "port-clean", *arguments]


def test_off_a_terminal_the_command_prints_the_plan_and_exits_3(port: int, start: Start) -> None:
    held = start("plain")
    done = subprocess.run(
        command("--port", str(port)), capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 3, done.stderr
    assert f"pid {held.pid}  " in done.stdout
    assert held.alive


@pytest.mark.parametrize(("answer", "code", "lives"), [("n", 3, True), ("", 3, True), ("y", 0, False)])
def test_on_a_terminal_it_asks(answer: str, code: int, lives: bool, port: int, start: Start) -> None:
    if units.of_cgroup(Path("/proc/self/cgroup").read_text()) != units.NONE:
        pytest.skip("the tests run in a service, the command would refuse their children")
    held = start("plain")
    master, slave = pty.openpty()
    with subprocess.Popen(command("--port", str(port)), stdin=slave, stdout=slave, stderr=slave, close_fds=True) as asked:
        os.close(slave)
        said = until(master, "[y/N]")
        assert f"pid {held.pid}" in said
        os.write(master, answer.encode() + b"\n")
        rest = until(master, "\0")
        assert asked.wait(10) == code, said + rest
    os.close(master)
    assert held.alive == lives


def until(terminal: int, mark: str) -> str:
    """Return the terminal's output until ``mark`` or its end; wait at most ten seconds."""
    said = ""
    deadline = time.monotonic() + 10
    while mark not in said and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                said += os.read(terminal, 4096).decode()
            except OSError:
                break
    return said


@pytest.mark.skipif(os.geteuid() != 0, reason="gives root away to look as another user")
def test_without_root_the_owner_is_not_guessed(port: int, start: Start) -> None:
    """Without root the owner is not guessed. A forked child becomes nobody, who may not read this interpreter."""
    held = start("plain")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.dup2(write, 1)
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with open(1, "w", closefd=False) as sys.stdout:
                code = verb.run(PortCleanOptions([port], yes=True, timeout=1))
        finally:
            os._exit(code)
    os.close(write)
    with open(read) as pipe:
        said = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == Exit.REFUSED, said
    assert "needs root" in said
    assert held.alive


def test_the_proof_names_what_stands_in_the_way(port: int) -> None:
    assert proof.bind(port).free is True
    with socket.create_server(("127.0.0.1", port)):
        assert proof.bind(port) == proof.Proof(False, f"binding 0.0.0.0:{port} failed: Address already in use")


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Yield a socket that takes the journal's place."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taken:
        taken.bind(str(tmp_path / "journal"))
        taken.settimeout(5)
        monkeypatch.setattr(receipt.write, "__kwdefaults__", {"journal": tmp_path / "journal", "syslog": tmp_path / "log"})
        yield taken


def entry(journal: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in journal.recv(65_536).decode().splitlines())


def test_a_receipt_is_written_to_the_journal_before_and_after(
    port: int, start: Start, capsys: pytest.CaptureFixture[str], journal: socket.socket
) -> None:
    held = start("plain")
    clean(port, capsys)
    plan, done, proof = entry(journal), entry(journal), entry(journal)
    for each, stage in ((plan, "plan"), (done, "done"), (proof, "proof")):
        common = {"EVENT": "port_clean", "PORT": str(port), "STAGE": stage, "REQUESTED_BY": person(), "PRIORITY": "5"}
        assert each | common == each
    assert plan["MESSAGE"].startswith(f"port-clean port={port} by={person()} plan: end pid {held.pid} (python")
    assert (plan["HOLDER_PID"], plan["HOLDER_KIND"]) == (str(held.pid), "process")
    assert (done["HOLDER_PID"], done["OUTCOME"], done["SIGNALS"]) == (str(held.pid), "ended", "SIGTERM")
    assert (proof["VERDICT"], proof["PORT_STATE"], proof["HELD_BY"]) == ("cleaned", "free", "")
    assert str(HOLDER) not in f"{plan}{done}{proof}"


def test_without_a_journal_the_text_goes_to_syslog(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        log.settimeout(5)
        assert receipt.write({"MESSAGE": "port-clean …", "PORT": "1"}, journal=tmp_path / "none", syslog=tmp_path / "log")
        assert log.recv(4096).decode() == f"<13>exotelctl[{os.getpid()}]: port-clean …"


def test_no_journal_stops_nothing(tmp_path: Path) -> None:
    assert receipt.write({"MESSAGE": "x"}, journal=tmp_path / "none", syslog=tmp_path / "none") is False


@pytest.fixture
def other_port(port: int) -> int:
    """Return a second port that nothing holds."""
    while (number := free_port()) == port:
        pass
    return number


def test_several_ports_are_judged_each_on_its_own(
    port: int, other_port: int, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    """Several ports are judged each on its own: the test's own is refused, the other is freed, and the worse code counts."""
    held = start("plain")
    with socket.create_server(("127.0.0.1", other_port)):
        capsys.readouterr()
        code = verb.run(PortCleanOptions([port, other_port, port], yes=True, timeout=5, json=True))
    made = json.loads(capsys.readouterr().out)
    assert [(each["port"], each["verdict"]) for each in made["ports"]] == [(port, "cleaned"), (other_port, "refused")]
    assert ended(made["ports"][0]) == {held.pid: ("ended", [TERM])}
    assert (code, held.alive) == (Exit.REFUSED, False)


def test_a_process_on_both_ports_is_ended_once(
    port: int, other_port: int, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    held = start("plain", other_port)
    capsys.readouterr()
    code = verb.run(PortCleanOptions([port, other_port], yes=True, timeout=5, json=True))
    one, other = json.loads(capsys.readouterr().out)["ports"]
    assert (ended(one), ended(other)) == ({held.pid: ("ended", [TERM])}, {held.pid: ("gone", [])})
    assert (one["verdict"], other["verdict"], code) == ("cleaned", "cleaned", Exit.OK)


def test_a_process_that_never_accepts_is_said_to_hang(port: int, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    held = start("plain")
    with socket.create_connection(("127.0.0.1", port)):
        _, made = clean(port, capsys, dry_run=True)
    assert decided(made) == {held.pid: ("hung", "end")}
    assert "1 connection waits to be accepted" in made["holders"][0]["why"]


@pytest.fixture
def ours(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Listen as our own server does for the quick look: this process stands for PID 1 and our worker."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        monkeypatch.setattr(gathering, "_MANAGER", os.getpid())
        yield listener


def test_the_quick_look_goes_no_further_than_our_units(port: int, ours: socket.socket) -> None:
    facts = gather(port)
    assert (facts.everywhere, [holder.pid for holder in facts.holders]) == (False, [os.getpid()])


def test_it_looks_everywhere_when_asked_or_when_connections_are_unexplained(port: int, ours: socket.socket) -> None:
    """A child with our listening socket is found by the thorough look, or by the call that it took."""
    ours.set_inheritable(True)
    code = (
        "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); s.settimeout(30); "
        "taken = s.accept(); print('took', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(ours.fileno())],
        pass_fds=[ours.fileno()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert not gather(port).everywhere
        assert {holder.pid for holder in gather(port, thorough=True).holders} == {os.getpid(), child.pid}
        with socket.create_connection(("127.0.0.1", port)):
            assert child.stdout.readline() == "took\n"
            facts = gather(port)
            assert (facts.everywhere, {holder.pid for holder in facts.holders}) == (True, {os.getpid(), child.pid})
        child.communicate("", timeout=10)
    with socket.create_connection(("127.0.0.1", port)):
        assert gather(port).everywhere, "a connection that nobody accepts"
