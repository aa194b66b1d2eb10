"""Saboteurs: each makes one real fault on a deployed lab host, and undoes it, whatever happens in between.

>>> with worker_stopped(host):
...     host.run("exotelctl doctor")

A saboteur belongs to the check of ``exotelctl doctor`` that has to find it. What it makes is bounded: rules, strangers and
drop-ins are gone after two minutes or with the host's next boot even if nobody undoes them.
"""

import dataclasses
import json
import shlex
import subprocess
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import monotonic, sleep, time
from typing import Final, Literal

from tests.lab import callers
from tests.lab.labhost import LabHost

PORT: Final = 8765
CREDENTIAL: Final = "KEY:a-token-of-the-lab"
PATH: Final = "/voice"
MAX_CALLS: Final = 2

INPUT: Final = "type filter hook input priority 0; policy accept;"
CLOSED: Final = "type filter hook input priority 0; policy drop; ct state established,related accept; iif lo accept;"
"""Beginnings of a firewall's chain: `INPUT` lets in all that it does not name, `CLOSED` does not."""

Host = Literal["open", "guarded"]
"""Deployment of the host: the default one, or one with credentials, one path (`PATH`) and `MAX_CALLS` a worker."""


@dataclasses.dataclass(frozen=True)
class Saboteur:
    """Fault on purpose. ``check`` must turn red; the checks ``also`` may turn red beside it, for the fault is theirs too."""

    name: str
    check: str
    host: Host
    also: frozenset[str]
    sabotage: Callable[[LabHost], AbstractContextManager[None]]


SABOTEURS: Final[list[Saboteur]] = []

NOT_MADE_HERE: Final = {
    "memory": "no test may take the memory of the machine that the lab shares with others; judged on saved facts",
    "arrivals": "never red by itself: whether somebody has called is no fault of the host",
    "cloud-firewall": "a lab host is in no cloud; a test tells doctor.yml of an instance with its address instead",
    "provider": "the host of the saboteurs echoes; the test of AI mode takes a bot its language model instead",
    "ended-report": "the host of the saboteurs echoes; tests of reports take a bot its system and its disk instead",
    "encoding": "the host of the saboteurs echoes, in any encoding; the protocol tests call a bot in each",
    "maintenance": "never red by itself: it is done on purpose; the test of exotelctl maintenance asks the doctor",
    "port-moved": "never red by itself: what the applet dials cannot be seen; the test of a move asks the doctor",
    "key-retired": "it takes a deploy with another key, which the test of the edge's doctor does",
    "clock": "a lab host has the clock of its machine; the test tells the doctor another time instead",
}
"""Checks whose fault cannot be made on a lab host, and why."""

_RESTART_JOURNALD: Final = "systemctl restart systemd-journald@exotel-ws.service"
_Fault = Callable[[LabHost], Iterator[None]]


def saboteur(check: str, *, host: Host = "open", also: tuple[str, ...] = ()) -> Callable[[_Fault], _Fault]:
    """Register a fault for the check that has to find it."""

    def register(fault: _Fault) -> _Fault:
        name = fault.__name__.replace("_", "-")
        SABOTEURS.append(Saboteur(name, check, host, frozenset(also), contextmanager(fault)))
        return fault

    return register


# -- the port ----------------------------------------------------------------------------------------------------------


@saboteur("port-stranger")
def stranger_on_the_port(host: LabHost) -> Iterator[None]:
    """Let another program take the port while the server is down for a moment."""
    with _service_stopped(host), _stranger(host, "http"):
        yield


@saboteur("port-stranger")
def stranger_and_a_failed_socket(host: LabHost) -> Iterator[None]:
    """Let another program take the port, and try to start our socket afterwards."""
    with _service_stopped(host), _stranger(host, "http"):
        _root(host, "! systemctl start exotel-ws.socket 2>&1")
        yield


@saboteur("unit-port-conflict")
def socket_failed_before_the_stranger_left(host: LabHost) -> Iterator[None]:
    """Free the port after the socket unit has given up on it."""
    with _service_stopped(host):
        with _stranger(host, "http"):
            _root(host, "! systemctl start exotel-ws.socket 2>&1")
        yield


@saboteur("port-two-listeners")
def second_listener_on_ipv6(host: LabHost) -> Iterator[None]:
    with _stranger(host, "ipv6"):
        yield


@saboteur("port-two-listeners")
def process_that_holds_our_socket(host: LabHost) -> Iterator[None]:
    """Start a process that takes every other call and never answers."""
    with _stranger(host, "shared", "Sockets=exotel-ws.socket"):
        yield


# -- units -------------------------------------------------------------------------------------------------------------


@saboteur("unit-missing-module")
def module_of_the_engine_gone(host: LabHost) -> Iterator[None]:
    with _crashing(host, _moved_away(host, f"{_packages(host)}/picows")):
        yield


@saboteur("unit-missing-module")
def module_that_exotelctl_uses_too_gone(host: LabHost) -> Iterator[None]:
    """Remove a module that the tool needs as well: it is part of the same release as the server."""
    with _crashing(host, _moved_away(host, f"{_packages(host)}/msgspec")):
        yield


@saboteur("unit-missing-module")
def module_gone_for_all_workers(host: LabHost) -> Iterator[None]:
    """Remove a module from every worker, so that nobody serves."""
    with _crashing(host, _moved_away(host, f"{_packages(host)}/picows"), *_workers(host)):
        yield


@saboteur("unit-syntax-error")
def syntax_error_in_the_release(host: LabHost) -> Iterator[None]:
    with _crashing(host, _edited(host, f"{_packages(host)}/exotel_ws/protocol.py", "$a def broken(:")):
        yield


@saboteur("unit-settings-error")
def misspelt_setting(host: LabHost) -> Iterator[None]:
    with _crashing(host, _settings_edited(host, "s/^port = /prot = /")):
        yield


@saboteur("unit-settings-error")
def settings_that_are_no_toml(host: LabHost) -> Iterator[None]:
    with _crashing(host, _settings_edited(host, "s/^port = .*/port = /")):
        yield


@saboteur("unit-settings-error", host="guarded")
def credentials_file_gone(host: LabHost) -> Iterator[None]:
    """Remove the file of credentials: systemd cannot hand it over, and starts nothing."""
    with _crashing(host, _moved_away(host, "/etc/exotel-ws/current/credentials/stream-credentials")):
        yield


@saboteur("unit-out-of-memory")
def not_enough_memory_to_import(host: LabHost) -> Iterator[None]:
    """Leave so little memory that Python raises MemoryError."""
    with _crashing(host, _drop_in(host, _unit(_workers(host)[0]), "[Service]\nLimitAS=30M\n")):
        yield


@saboteur("unit-out-of-memory")
def not_enough_memory_for_a_library(host: LabHost) -> Iterator[None]:
    """Leave so little memory that Python raises ImportError, "failed to map segment …", though no module is missing."""
    with _crashing(host, _drop_in(host, _unit(_workers(host)[0]), "[Service]\nLimitAS=26M\n")):
        yield


@saboteur("unit-down")
def worker_stopped(host: LabHost) -> Iterator[None]:
    with _stopped(host, _unit(_workers(host)[1])):
        yield


@saboteur("unit-down")
def everything_stopped(host: LabHost) -> Iterator[None]:
    with _service_stopped(host):
        yield


@saboteur("boot")
def units_disabled(host: LabHost) -> Iterator[None]:
    """Disable the units: everything works until the next boot."""
    units = f"exotel-ws.socket {_unit(_workers(host)[1])}"
    _root(host, f"systemctl disable {units} 2>&1")
    try:
        yield
    finally:
        _root(host, f"systemctl enable {units} 2>&1")


@saboteur("unit-down")
def socket_restarted_below_its_workers(host: LabHost) -> Iterator[None]:
    """Restart the socket alone: systemd refuses to start it while workers hold it, and they serve until they restart."""
    _root(host, "! systemctl restart exotel-ws.socket 2>&1")
    try:
        yield
    finally:
        with _service_stopped(host):
            pass


@saboteur("unit-down")
def worker_that_crashes(host: LabHost) -> Iterator[None]:
    """Raise an exception that no other check knows."""
    serve = f"{_packages(host)}/exotel_ws/serve.py"
    crash = "s/^    files.lift_limit()/    raise RuntimeError('a saboteur was here')/"
    with _crashing(host, _edited(host, serve, crash)):
        yield


def crash_once(host: LabHost) -> None:
    """Kill a worker as a segmentation fault would, and wait until systemd has restarted it."""
    worker = _workers(host)[0]
    restarts = f"$(systemctl show -P NRestarts {_unit(worker)})"
    before = _root(host, f"echo {restarts}").strip()
    _root(host, f"kill -KILL {_main_pid(host, worker)}")
    _until(host, f"(( {restarts} > {before} ))", within_s=5)
    healed(host)


@saboteur("loop-hung")
def worker_that_hangs(host: LabHost) -> Iterator[None]:
    with _frozen(host, _workers(host)[:1]):
        yield


@saboteur("loop-hung")
def all_workers_hang(host: LabHost) -> Iterator[None]:
    """Freeze every worker: new connections wait in the kernel's queue."""
    with _frozen(host, _workers(host)):
        yield


# -- answers of the server ---------------------------------------------------------------------------------------------


@saboteur("local-answer")
def another_health(host: LabHost) -> Iterator[None]:
    with _release_edited(host, "echo/spec.py", r's/"exotel-passthrough"/"some-other-service"/'):
        yield


@saboteur("no-echo")
def server_that_swallows_audio(host: LabHost) -> Iterator[None]:
    with _release_edited(host, "protocol.py", r"s/^        return (f'{self._media_head}.*$/        return ()/"):
        yield


@saboteur("wrong-fields")
def camel_case_server(host: LabHost) -> Iterator[None]:
    """Send the fields of the guide's V2."""
    with _release_edited(host, "protocol.py", r"""s/"media","stream_sid":/"media","streamSid":/"""):
        yield


# -- firewalls and addresses -------------------------------------------------------------------------------------------


@saboteur("host-firewall")
def firewall_rule_that_drops(host: LabHost) -> Iterator[None]:
    with firewall(host, f"chain input {{ {INPUT} iifname != lo tcp dport {PORT} drop; }}"):
        yield


@saboteur("host-firewall")
def firewall_rule_that_rejects_everybody(host: LabHost) -> Iterator[None]:
    """Reject everybody, even the host itself over loopback."""
    with firewall(host, f"chain input {{ {INPUT} tcp dport {PORT} reject with tcp reset; }}"):
        yield


@saboteur("host-firewall")
def firewall_that_lets_in_ssh_only(host: LabHost) -> Iterator[None]:
    with firewall(host, f"chain input {{ {CLOSED} tcp dport 22 accept; }}"):
        yield


@contextmanager
def two_faults(host: LabHost) -> Iterator[None]:
    """Make two faults at once, neither of which causes the other."""
    with (
        firewall(host, f"chain input {{ {INPUT} iifname != lo tcp dport {PORT} reject; }}"),
        _stopped(host, _unit(_workers(host)[1])),
    ):
        yield


@saboteur("outside-reach")
def firewall_in_front_of_the_host(host: LabHost) -> Iterator[None]:
    """Drop packets to the port on their way, as a cloud's firewall does: the host cannot see it."""
    table = f"exotel_lab_cloud_{host.address.replace('.', '_')}"
    rules = f"""table inet {table} {{
      set closed {{ type ipv4_addr . inet_service; flags timeout; elements = {{ {host.address} . {PORT} timeout 120s }}; }}
      chain out {{ type filter hook output priority 0; ip daddr . tcp dport @closed drop; }}
    }}"""
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, timeout=10, check=True)
    try:
        yield
    finally:
        subprocess.run(["nft", "delete", "table", "inet", table], timeout=10, check=True)


@saboteur("public-address")
def settings_with_an_address_of_before(host: LabHost) -> Iterator[None]:
    """Leave an old address in the settings, as a cloud does that gives a host another one at its next start."""
    with _settings_edited(host, r"s#^public_url = .*#public_url = \"ws://203.0.113.99:8765\"#"):
        yield


# -- callers -----------------------------------------------------------------------------------------------------------


@saboteur("tls-on-plain")
def applet_with_wss(host: LabHost) -> Iterator[None]:
    callers.tls_hello(host.address, PORT)
    yield


@saboteur("no-start")
def stream_applet(host: LabHost) -> Iterator[None]:
    with _closed(host, 3):
        callers.without_start(url(host), calls=3)
    yield


@saboteur("no-media")
def calls_without_media(host: LabHost) -> Iterator[None]:
    with _closed(host, 3):
        callers.without_media(url(host), calls=3)
    yield


@saboteur("short-calls")
def immediate_hang_ups(host: LabHost) -> Iterator[None]:
    with _closed(host, 6):
        callers.short(url(host), calls=6)
    yield


@saboteur("lost-calls")
def connections_lost(host: LabHost) -> Iterator[None]:
    with _closed(host, 3):
        callers.without_stop(url(host), calls=3)
    yield


@saboteur("sample-rate")
def url_with_another_rate(host: LabHost) -> Iterator[None]:
    with _closed(host, 1):
        callers.another_rate(url(host))
    yield


@saboteur("wrong-path", host="guarded")
def url_with_a_wrong_path(host: LabHost) -> Iterator[None]:
    callers.refused(url(host, "/voicebot", CREDENTIAL))
    yield


@saboteur("proxy-in-front")
def proxy_that_drops_upgrade(host: LabHost) -> Iterator[None]:
    """Ask as nginx does by default."""
    callers.request(host.address, PORT, _handshake("HTTP/1.0", "Connection: close"))
    yield


@saboteur("proxy-in-front")
def proxy_that_sends_the_proxy_protocol(host: LabHost) -> Iterator[None]:
    head = _handshake("HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade")
    callers.request(host.address, PORT, b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 8765\r\n" + head)
    yield


@saboteur("bad-handshake")
def request_with_a_huge_head(host: LabHost) -> Iterator[None]:
    head = _handshake("HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade", f"Cookie: {'c' * 20_000}")
    callers.request(host.address, PORT, head)
    yield


@saboteur("bounds")
def call_that_repeats_start_without_end(host: LabHost) -> Iterator[None]:
    """Repeat ``start`` from an address that makes good calls too."""
    callers.good(url(host), calls=4)
    callers.repeating_start(url(host), times=80)
    yield


@saboteur("token-stripped", host="guarded")
def url_without_its_token(host: LabHost) -> Iterator[None]:
    """Call without ``?token=…``, as when Exotel strips the query."""
    callers.refused(url(host, PATH))
    yield


@saboteur("auth-rejected", host="guarded")
def wrong_token(host: LabHost) -> Iterator[None]:
    callers.refused(url(host, PATH, "KEY:an-old-token"))
    yield


@saboteur("call-limit", host="guarded")
def more_calls_than_are_taken(host: LabHost) -> Iterator[None]:
    """Hold as many calls as are allowed and place one more, which is refused with 503."""
    with callers.held(url(host, PATH, CREDENTIAL), calls=len(_workers(host)) * MAX_CALLS):
        callers.refused(url(host, PATH, CREDENTIAL))
        yield


@saboteur("call-limit", host="guarded")
def more_calls_than_were_taken(host: LabHost) -> Iterator[None]:
    """Exceed the limit of calls, and look when there is room again."""
    with callers.held(url(host, PATH, CREDENTIAL), calls=len(_workers(host)) * MAX_CALLS):
        callers.refused(url(host, PATH, CREDENTIAL))
        sleep(callers.LONG_S)
    yield


# -- resources of the host ---------------------------------------------------------------------------------------------


@saboteur("file-limit")
def few_files(host: LabHost) -> Iterator[None]:
    unit = _unit(_workers(host)[0])
    with _restarted(host, _drop_in(host, unit, "[Service]\nLimitNOFILE=26\n"), unit):
        yield


@saboteur("file-limit", also=("bounds",))
def more_connections_than_files(host: LabHost) -> Iterator[None]:
    """Use up a worker's files: it accepts nobody any more, not even at its admin socket."""
    unit = _unit(_workers(host)[0])
    with (
        _restarted(host, _drop_in(host, unit, "[Service]\nLimitNOFILE=26\n"), unit),
        callers.held(url(host), calls=12),
    ):
        yield


@saboteur("disk")
def full_file_system(host: LabHost) -> Iterator[None]:
    with _mounted(host, "/var/lib/exotel-ws", "size=64k"):
        _root(host, "! dd if=/dev/zero of=/var/lib/exotel-ws/filler bs=4k 2>&1")
        yield


@saboteur("disk")
def no_inodes_left(host: LabHost) -> Iterator[None]:
    with _mounted(host, "/var/lib/exotel-ws", "size=1m,nr_inodes=4"):
        _root(host, "! touch /var/lib/exotel-ws/{1..9} 2>&1")
        yield


@saboteur("disk")
def read_only_file_system(host: LabHost) -> Iterator[None]:
    with _mounted(host, "/var/lib/exotel-ws", "size=1m,ro"):
        yield


# -- journal and generations -------------------------------------------------------------------------------------------


@saboteur("journal")
def journal_that_drops_lines(host: LabHost) -> Iterator[None]:
    """Exceed journald's rate: it reports the dropped lines when the unit writes after the interval."""
    units = [_unit(worker) for worker in _workers(host)]
    with _restarted(
        host, _drop_in(host, "exotel-ws@.service", "[Service]\nLogRateLimitIntervalSec=1s\nLogRateLimitBurst=8\n"), *units
    ):
        callers.good(url(host), calls=4)
        yield


@saboteur("journal")
def journald_that_stores_nothing(host: LabHost) -> Iterator[None]:
    """Let journald store nothing. Older files stay, so the journal looks like that of a quiet host."""
    directory = "/etc/systemd/journald@exotel-ws.conf.d"
    drop_in = f"{directory}/zz-saboteur.conf"
    _root(host, f"mkdir -p {directory}; printf '[Journal]\\nStorage=none\\n' >{drop_in}; {_RESTART_JOURNALD}")
    try:
        yield
    finally:
        _root(host, f"rm {drop_in}; {_RESTART_JOURNALD}")


@saboteur("journal")
def deleted_journal_files(host: LabHost) -> Iterator[None]:
    """Move the journal's files away, so that journald writes where nobody reads. Later tests find them in place again."""
    files, kept = "/var/log/journal/*.exotel-ws", "/var/log/saboteur"
    _root(host, f"mkdir {kept}; mv {files}/*.journal {kept}/")
    try:
        yield
    finally:
        _root(host, f"mv {kept}/*.journal {files}/; rmdir {kept}")


@saboteur("journal")
def stuck_journald_of_the_workers(host: LabHost) -> Iterator[None]:
    _root(host, "systemctl kill --signal=SIGSTOP systemd-journald@exotel-ws.service")
    try:
        yield
    finally:
        _root(host, "systemctl kill --signal=SIGCONT systemd-journald@exotel-ws.service")


@saboteur("journal")
def stopped_journald_of_the_workers(host: LabHost) -> Iterator[None]:
    """Stop and mask the workers' journald. Its socket stays, because the workers' units require it, and starts nothing."""
    unit = "systemd-journald@exotel-ws"
    _root(host, f"systemctl mask --runtime {unit}.service 2>&1; systemctl stop {unit}.service 2>&1")
    try:
        yield
    finally:
        _root(
            host,
            f"systemctl unmask --runtime {unit}.service 2>&1; systemctl reset-failed '{unit}*'; systemctl start {unit}.service",
        )


@saboteur("journal")
def stopped_journald_of_the_host(host: LabHost) -> Iterator[None]:
    """Stop the host's journald, its sockets first: they would start it again."""
    sockets = "systemd-journald.socket systemd-journald-dev-log.socket systemd-journald-audit.socket"
    _root(host, f"systemctl stop {sockets} systemd-journald.service 2>&1")
    try:
        yield
    finally:
        _root(host, "systemctl start systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service")


@saboteur("generations")
def socket_that_points_elsewhere(host: LabHost) -> Iterator[None]:
    """Point the socket at an older generation, which a call would start next."""
    drop_in = "/etc/systemd/system/exotel-ws.socket.d/generation.conf"
    with _reloaded(host, _edited(host, drop_in, "s/@[^.]*/@20200101T000000-00000000-1/")):
        yield


@saboteur("generations")
def forgotten_generation_that_serves(host: LabHost) -> Iterator[None]:
    """Run a worker of another generation that shares the port and takes every third call."""
    current, old = _generation(host), "20200101T000000-00000000"
    etc, unit = "/etc/exotel-ws", _unit(f"{old}-1")
    _root(host, f"cp -a {etc}/generations/{current} {etc}/generations/{old}; ln -s ../generations/{old} {etc}/instances/{old}-1")
    try:
        _root(host, f"systemctl start {unit}")
        yield
    finally:
        _root(host, f"systemctl stop {unit}; rm -r {etc}/instances/{old}-1 {etc}/generations/{old}")


# -- helpers -----------------------------------------------------------------------------------------------------------


def _handshake(version: str, *headers: str) -> bytes:
    """Return a request for a WebSocket with only these further headers."""
    fixed = ("Host: exotel.example", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    return "\r\n".join([f"GET / {version}", *fixed, *headers, "", ""]).encode()


def url(host: LabHost, path: str = "", credential: str = "") -> str:
    """Return the host's address as it stands in the applet."""
    return f"ws://{credential}{'@' if credential else ''}{host.address}:{PORT}{path}"


def healed(host: LabHost) -> None:
    """Wait until the host serves as before any saboteur: every worker answers, nothing has failed or still drains.

    Raises AssertionError or OSError after at most 45 s.
    """
    units = " ".join(map(_unit, _workers(host)))
    _until(host, f"systemctl is-active --quiet exotel-ws.socket {units}", within_s=20)
    with urllib.request.urlopen(f"http://{host.address}:{PORT}/health", timeout=5) as answer:
        assert json.load(answer)["service"] == "exotel-passthrough"
    left = "systemctl list-units --plain --no-legend --state=failed,auto-restart,deactivating 'exotel-ws*'"
    _until(host, f"[[ -z $({left}) ]]", within_s=20)


def _root(host: LabHost, script: str) -> str:
    """Run bash as root on the host until a command fails, and return its output. Raises CommandFailed."""
    return host.run(f"sudo bash -euc {shlex.quote(script)}").stdout


def _until(host: LabHost, condition: str, *, within_s: float) -> None:
    """Wait until the shell command ``condition`` succeeds on the host. Raises CommandFailed."""
    _root(host, f"timeout {within_s:g} bash -c {shlex.quote(f'until {condition}; do sleep 0.05; done')}")


def _generation(host: LabHost) -> str:
    return Path(host.run("readlink /etc/exotel-ws/current").stdout.strip()).name


def _workers(host: LabHost) -> list[str]:
    """Return the instances of the serving generation."""
    return host.run(f"ls /etc/exotel-ws/instances | grep -F {_generation(host)}").stdout.split()


def _unit(worker: str) -> str:
    return f"exotel-ws@{worker}.service"


def _main_pid(host: LabHost, worker: str) -> str:
    return host.run(f"systemctl show -P MainPID {_unit(worker)}").stdout.strip()


def _packages(host: LabHost) -> str:
    """Return the directory of the serving release's Python packages."""
    return host.run("readlink -f /etc/exotel-ws/current/release/lib/python3*/site-packages").stdout.strip()


@contextmanager
def _closed(host: LabHost, connections: int) -> Iterator[None]:
    """Wait afterwards until the journal has the end of each connection: a server without CPU time is later than its callers."""
    begun, until = time(), monotonic() + 30
    yield
    ends = f"sudo journalctl --namespace=+exotel-ws -q -o cat --since @{begun:.6f} EVENT=close | wc -l"
    while int(host.run(ends).stdout) < connections:
        if monotonic() > until:
            raise TimeoutError(f"not within 30 s: {connections} closed connections in the journal")
        sleep(0.2)


@contextmanager
def _stopped(host: LabHost, unit: str) -> Iterator[None]:
    _root(host, f"systemctl stop {unit}")
    try:
        yield
    finally:
        _root(host, f"systemctl start {unit}")


@contextmanager
def _service_stopped(host: LabHost) -> Iterator[None]:
    """Stop the socket and the workers for the block."""
    units = " ".join(map(_unit, _workers(host)))
    _root(host, f"systemctl stop exotel-ws.socket {units}")
    try:
        yield
    finally:
        _root(host, f"systemctl reset-failed 'exotel-ws*'; systemctl start exotel-ws.socket; systemctl start {units}")


@contextmanager
def _stranger(host: LabHost, way: str, *settings: str) -> Iterator[None]:
    """Run ``stranger.py`` on the host as a service with these ``settings``; the block begins once it listens."""
    source = b64encode(Path(__file__).with_name("stranger.py").read_bytes()).decode()
    script, name = "/run/stranger.py", "lab-stranger.service"
    service = ("Type=notify", "TimeoutStartSec=10", "RuntimeMaxSec=120", f"ExecStart=python3 {script} {way} {PORT}", *settings)
    unit = shlex.quote("\n".join(["[Service]", *service, ""]))
    _root(host, f"base64 -d >{script} <<<{source}; printf %s {unit} >/run/systemd/system/{name}; systemctl daemon-reload")
    try:
        _root(host, f"systemctl start {name}")
        yield
    finally:
        _root(host, f"systemctl stop {name}; rm {script} /run/systemd/system/{name}; systemctl daemon-reload")


@contextmanager
def _moved_away(host: LabHost, path: str) -> Iterator[None]:
    _root(host, f"mv {path} {path}.gone")
    try:
        yield
    finally:
        _root(host, f"mv {path}.gone {path}")


@contextmanager
def _edited(host: LabHost, path: str, expression: str) -> Iterator[None]:
    """Edit the file at ``path`` with ``sed``, and restore it with its time. An expression that changes nothing is an error."""
    kept = f"/run/saboteur-{path.replace('/', '-')}"
    _root(host, f"cp -p {path} {kept}; sed -i {shlex.quote(expression)} {path}; ! cmp -s {kept} {path}")
    try:
        yield
    finally:
        _root(host, f"cp -p {kept} {path}; rm {kept}")


@contextmanager
def _settings_edited(host: LabHost, expression: str) -> Iterator[None]:
    with _edited(host, f"/etc/exotel-ws/generations/{_generation(host)}/settings.toml", expression):
        yield


@contextmanager
def _release_edited(host: LabHost, module: str, expression: str) -> Iterator[None]:
    """Edit a module of the server, and let every worker run it."""
    edited = _edited(host, f"{_packages(host)}/exotel_ws/{module}", expression)
    with _restarted(host, edited, *map(_unit, _workers(host))):
        yield


@contextmanager
def _drop_in(host: LabHost, unit: str, text: str) -> Iterator[None]:
    directory = f"/run/systemd/system/{unit}.d"
    _root(host, f"mkdir {directory}; printf {shlex.quote(text)} >{directory}/saboteur.conf")
    try:
        yield
    finally:
        _root(host, f"rm -r {directory}")


@contextmanager
def _reloaded(host: LabHost, fault: AbstractContextManager[None]) -> Iterator[None]:
    """Let systemd read its files again, both with the fault and after it."""
    try:
        with fault:
            _root(host, "systemctl daemon-reload")
            yield
    finally:
        _root(host, "systemctl daemon-reload")


@contextmanager
def _restarted(host: LabHost, fault: AbstractContextManager[None], *units: str) -> Iterator[None]:
    """Restart the units with the fault, and again without it."""
    restart = f"systemctl restart {' '.join(units)}"
    try:
        with _reloaded(host, fault):
            _root(host, restart)
            yield
    finally:
        _root(host, restart)


@contextmanager
def _crashing(host: LabHost, fault: AbstractContextManager[None], *workers: str) -> Iterator[None]:
    """Keep these workers, by default the first, from starting, so that systemd tries again and again; then restart them."""
    names = [_unit(worker) for worker in workers or _workers(host)[:1]]
    units = " ".join(names)
    try:
        with _reloaded(host, fault):
            _root(host, f"systemctl stop --quiet {units} 2>&1; systemctl start --no-block {units}")
            for name in names:
                _until(host, f"(( $(systemctl show -P NRestarts {name}) > 1 ))", within_s=15)
            yield
    finally:
        _root(host, f"systemctl restart {units}")


@contextmanager
def _frozen(host: LabHost, workers: list[str]) -> Iterator[None]:
    """Stop the processes (SIGSTOP), without systemd's watchdog, which would end them after 20 s."""
    pids = " ".join(_main_pid(host, worker) for worker in workers)
    _root(host, f"systemctl service-watchdogs no; kill -STOP {pids}")
    try:
        yield
    finally:
        _root(host, f"kill -CONT {pids}; sleep 0.3; systemctl service-watchdogs yes")


@contextmanager
def firewall(host: LabHost, rules: str) -> Iterator[None]:
    """Put up a firewall on the host: ``rules`` are the chains and sets of a table. The lab's Debian has nftables installed."""
    table = shlex.quote(f"table inet saboteur {{\n{rules}\n}}")
    _root(host, f"nft -f - <<<{table}")
    try:
        yield
    finally:
        _root(host, "nft delete table inet saboteur")


@contextmanager
def _mounted(host: LabHost, where: str, options: str) -> Iterator[None]:
    """Mount a small file system at ``where``."""
    _root(host, f"mount -t tmpfs -o {options} saboteur {where}")
    try:
        yield
    finally:
        _root(host, f"umount {where}")
