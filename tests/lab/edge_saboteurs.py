"""Saboteurs of the edge: each makes one real fault on a deployed lab host with HAProxy in front, and undoes it.

They are like those of `tests.lab.saboteurs`, and belong to a check each. The host asks for `KEY`; its certificate is of the
authority that `Bench` has.
"""

import contextlib
import dataclasses
import json
import shlex
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from time import monotonic, sleep
from typing import Final, Literal

from tests.lab import acme_authority, callers
from tests.lab.authority import issue
from tests.lab.labhost import LabHost
from tests.lab.saboteurs import INPUT, _edited, _root, _service_stopped, _until, firewall
from tests.unit.edge.authority import Authority

KEY: Final = "exotel:a-key-of-the-labs-edge-0123456789"
PORT: Final = 443
_EDGE: Final = "/etc/exotel-edge"
_FILE: Final = f"{_EDGE}/certificate.pem"
_CONFIG: Final = f"{_EDGE}/haproxy.cfg"
_RELOAD: Final = "systemctl reload haproxy"
_HELD: Final = 5
"""Workers that a saboteur leaves with a call each: one more than are taken for sane, and the new one."""

Certificate = Literal["files", "acme"]


@dataclasses.dataclass(frozen=True)
class Bench:
    """A host with an edge, and the authority that clients and the host trust."""

    host: LabHost
    authority: Authority

    @property
    def url(self) -> str:
        """Return the URL that the applet should have."""
        return f"wss://{KEY}@{self.host.address}"


@dataclasses.dataclass(frozen=True)
class EdgeSaboteur:
    """Fault on purpose. ``check`` must turn red; the checks ``also`` may turn red beside it, for the fault is theirs too."""

    name: str
    check: str
    certificate: Certificate
    also: frozenset[str]
    sabotage: Callable[[Bench], AbstractContextManager[None]]


SABOTEURS: Final[list[EdgeSaboteur]] = []
_Fault = Callable[[Bench], Iterator[None]]


def saboteur(check: str, *, certificate: Certificate = "files", also: tuple[str, ...] = ()) -> Callable[[_Fault], _Fault]:
    """Register a fault for the check that has to find it, on a host with this kind of certificate."""

    def register(fault: _Fault) -> _Fault:
        name = fault.__name__.replace("_", "-")
        SABOTEURS.append(EdgeSaboteur(name, check, certificate, frozenset(also), contextmanager(fault)))
        return fault

    return register


# -- HAProxy -----------------------------------------------------------------------------------------------------------


@saboteur("edge-down")
def haproxy_stopped(bench: Bench) -> Iterator[None]:
    _root(bench.host, "systemctl stop haproxy")
    try:
        yield
    finally:
        _root(bench.host, "systemctl start haproxy")


@saboteur("edge-down")
def haproxy_that_refuses_its_configuration(bench: Bench) -> Iterator[None]:
    """Break the configuration, and start HAProxy again, as a reboot does."""
    try:
        with _edited(bench.host, _CONFIG, "$a nonsense"):
            _root(bench.host, "systemctl stop haproxy; ! systemctl start haproxy 2>&1")
            yield
    finally:
        _root(bench.host, "systemctl reset-failed haproxy; systemctl start haproxy")


@saboteur("edge-down")
def haproxy_disabled(bench: Bench) -> Iterator[None]:
    """Disable HAProxy: everything works until the next boot."""
    _root(bench.host, "systemctl disable haproxy 2>&1")
    try:
        yield
    finally:
        _root(bench.host, "systemctl enable haproxy 2>&1")


@saboteur("edge-down")
def haproxy_restarted_under_a_call(bench: Bench) -> Iterator[None]:
    """Restart HAProxy by mistake: it takes no call until the one that is up has ended."""
    with callers.held(bench.url, calls=1):
        _root(bench.host, "systemctl restart --no-block haproxy")
        _until(bench.host, "[[ $(systemctl show -P ActiveState haproxy) = deactivating ]]", within_s=10)
        yield
    _until(bench.host, "systemctl is-active --quiet haproxy", within_s=30)


@saboteur("edge-backend")
def edge_that_looks_elsewhere(bench: Bench) -> Iterator[None]:
    """Send calls to a port on which nobody listens."""
    elsewhere = "set server voice/voice addr 127.0.0.1 port"
    _root(bench.host, _ask(f"{elsewhere} 8799"))
    try:
        _until(bench.host, f"! {_up()}", within_s=20)
        yield
    finally:
        _root(bench.host, _ask(f"{elsewhere} 8765"))
        _until(bench.host, _up(), within_s=20)


@saboteur("unit-down")
def server_behind_the_edge_stopped(bench: Bench) -> Iterator[None]:
    """Stop the server: that the edge finds none is its consequence."""
    with _service_stopped(bench.host):
        _until(bench.host, f"! {_up()}", within_s=20)
        yield
    _until(bench.host, _up(), within_s=20)


@saboteur("edge-workers")
def reloads_all_the_time(bench: Bench) -> Iterator[None]:
    """Reload HAProxy again and again, with a call in each of its workers."""
    with ExitStack() as calls:
        # Twice as many as are told: a call may reach a worker that has one, until the next worker has taken the port over.
        for _ in range(2 * _HELD):
            calls.enter_context(callers.held(bench.url, calls=1))
            _root(bench.host, _RELOAD)
        yield


# -- limits ------------------------------------------------------------------------------------------------------------


@saboteur("edge-put-out", also=("auth-rejected",))
def caller_with_too_many_bad_keys(bench: Bench) -> Iterator[None]:
    with unknown(bench):
        for _ in range(12):
            callers.refused(bench.url.replace(KEY, "exotel:a-key-that-nobody-knows-9876543210"))
        yield


@saboteur("edge-put-out")
def stranger_that_connects_all_the_time(bench: Bench) -> Iterator[None]:
    """Connect more often than a stranger may, all the time while the doctor looks."""
    over = threading.Event()

    def knock() -> None:
        while not over.wait(0.05):
            with contextlib.suppress(OSError):
                socket.create_connection((bench.host.address, PORT), timeout=1).close()

    with unknown(bench):
        thread = threading.Thread(target=knock, name="knocks")
        thread.start()
        try:
            _until(bench.host, 'exotelctl edge --json | grep -q \'"why": "rate"\'', within_s=20)
            yield
        finally:
            over.set()
            thread.join(10)


# -- callers -----------------------------------------------------------------------------------------------------------


@saboteur("plain-on-tls")
def applet_with_ws(bench: Bench) -> Iterator[None]:
    """Call with ws:// where only wss:// is served."""
    callers.request(bench.host.address, PORT, _head("Upgrade: websocket", "Connection: Upgrade"))
    yield


@saboteur("proxy-in-front")
def proxy_that_drops_upgrade_before_the_edge(bench: Bench) -> Iterator[None]:
    _request(bench, _head("Connection: close"))
    yield


@saboteur("token-stripped")
def url_without_its_key(bench: Bench) -> Iterator[None]:
    """Call without a key, as when Exotel strips the query."""
    callers.refused(f"wss://{bench.host.address}")
    yield


@saboteur("auth-rejected")
def url_with_a_wrong_key(bench: Bench) -> Iterator[None]:
    with unknown(bench):
        callers.refused(bench.url.replace(KEY, "exotel:a-key-that-nobody-knows-9876543210"))
        yield


# -- certificates ------------------------------------------------------------------------------------------------------


@saboteur("certificate-expiry")
def certificate_that_expired(bench: Bench) -> Iterator[None]:
    with _issued(bench, [bench.host.address], begins_s=-9000, ends_s=-60):
        yield


@saboteur("certificate-expiry")
def certificate_with_ten_days_left(bench: Bench) -> Iterator[None]:
    with _issued(bench, [bench.host.address], begins_s=-80 * 86400, ends_s=10 * 86400):
        yield


@saboteur("certificate-name")
def certificate_for_another_name(bench: Bench) -> Iterator[None]:
    with _issued(bench, ["other.example.com"]):
        yield


@saboteur("certificate-chain")
def certificate_without_its_issuer(bench: Bench) -> Iterator[None]:
    pair = issue(bench.authority, [bench.host.address])
    with _certificate(bench, pair.leaf + pair.key):
        yield


@saboteur("certificate-clock")
def certificate_of_tomorrow(bench: Bench) -> Iterator[None]:
    """Serve a certificate that begins tomorrow by the host's clock, as when that is a day late."""
    with _issued(bench, [bench.host.address], begins_s=86400):
        yield


@saboteur("certificate-loaded")
def file_changed_without_telling_haproxy(bench: Bench) -> Iterator[None]:
    pair = issue(bench.authority, [bench.host.address])
    with _file(bench.host, pair.chain + pair.key):
        yield


# -- ports and renewal -------------------------------------------------------------------------------------------------


@saboteur("host-firewall")
def firewall_rule_that_drops_the_edge(bench: Bench) -> Iterator[None]:
    with firewall(bench.host, f"chain input {{ {INPUT} iifname != lo tcp dport {PORT} drop; }}"):
        yield


@saboteur("acme-port", certificate="acme")
def firewall_rule_that_drops_the_authority(bench: Bench) -> Iterator[None]:
    with firewall(bench.host, f"chain input {{ {INPUT} iifname != lo tcp dport 80 drop; }}"):
        yield


@saboteur("acme-port", certificate="acme")
def edge_without_the_port_for_acme(bench: Bench) -> Iterator[None]:
    with _configured(bench.host, "s/:80\\b/:8080/"):
        yield


@saboteur("certificate-renewal", certificate="acme")
def timer_of_the_renewal_disabled(bench: Bench) -> Iterator[None]:
    _root(bench.host, "systemctl disable --now certbot.timer 2>&1")
    try:
        yield
    finally:
        _root(bench.host, "systemctl enable --now certbot.timer 2>&1")


@saboteur("certificate-renewal", certificate="acme")
def renewal_that_fails(bench: Bench) -> Iterator[None]:
    """Let the renewal's last run fail, as one that does not reach its authority."""
    drop_in = "/run/systemd/system/certbot.service.d/saboteur.conf"
    fails = "[Service]\\nExecStart=\\nExecStart=/bin/false\\n"
    _root(
        bench.host,
        f"mkdir -p $(dirname {drop_in}); printf '{fails}' >{drop_in}; systemctl daemon-reload; ! systemctl start certbot 2>&1",
    )
    try:
        yield
    finally:
        _root(bench.host, f"rm {drop_in}; systemctl daemon-reload; systemctl reset-failed certbot")


@saboteur("certificate-renewal", certificate="acme")
def rehearsal_that_fails(bench: Bench) -> Iterator[None]:
    """Let only the last rehearsal of the renewal fail, as one that did not reach its authority, which answers again now."""
    rehearse = "systemctl start exotel-edge-rehearsal 2>&1"
    with firewall(bench.host, f"chain input {{ {INPUT} iifname lo tcp dport {acme_authority.PORT} reject with tcp reset; }}"):
        _root(bench.host, f"! {rehearse}")
    try:
        yield
    finally:
        _root(bench.host, rehearse)


# -- helpers -----------------------------------------------------------------------------------------------------------


def healed(bench: Bench) -> None:
    """Wait until the host serves as before any saboteur: nothing is wrong with the edge, and no old worker is left.

    Raises AssertionError after 40 s, with what is wrong.
    """
    until, said = monotonic() + 40, ""
    while monotonic() < until:
        said = bench.host.run("sudo exotelctl edge --json; systemctl is-active exotel-ws.socket haproxy >&2", check=False).stdout
        seen = json.loads(said)
        if seen["ok"] and seen["old_workers"] == []:
            return
        sleep(0.3)
    raise AssertionError(f"the edge does not heal: {said}")


def _up() -> str:
    """Return the shell command that succeeds where the edge finds the server."""
    return 'exotelctl edge --json | grep -q \'"status": "UP\''


def _head(*headers: str) -> bytes:
    fixed = ("Host: exotel.example", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    return "\r\n".join(["GET / HTTP/1.1", *fixed, *headers, "", ""]).encode()


def _request(bench: Bench, head: bytes) -> None:
    """Send these bytes through TLS and ignore the answer."""
    context = ssl.create_default_context(cafile=str(bench.authority.roots))
    address = bench.host.address
    with (
        socket.create_connection((address, PORT), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=address) as client,
    ):
        client.sendall(head)
        client.recv(4096)


@contextmanager
def unknown(bench: Bench) -> Iterator[None]:
    """Let HAProxy forget for the block that this machine made good calls, and let it in again afterwards."""
    _root(bench.host, f"{_ask('clear table known')}; {_ask('clear table strangers')}")
    try:
        yield
    finally:
        mine = socket.create_connection((bench.host.address, 22), timeout=5)
        address = mine.getsockname()[0]
        mine.close()
        _root(bench.host, f"exotelctl edge admit {address}")


def _ask(command: str) -> str:
    """Return the shell command that asks HAProxy this."""
    script = (
        "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect('/run/haproxy/admin.sock'); "
        "s.sendall(sys.argv[1].encode() + b'\\n'); print(s.makefile().read())"
    )
    return f"python3 -c {shlex.quote(script)} {shlex.quote(command)}"


@contextmanager
def _configured(host: LabHost, expression: str) -> Iterator[None]:
    """Edit the configuration with ``sed``, and reload HAProxy with it, and again without."""
    try:
        with _edited(host, _CONFIG, expression):
            _root(host, _RELOAD)
            yield
    finally:
        _root(host, _RELOAD)


@contextmanager
def _file(host: LabHost, text: str) -> Iterator[None]:
    """Put another text into the certificate's file for the block."""
    kept = "/run/saboteur-certificate.pem"
    _root(host, f"cp -p {_FILE} {kept}; printf %s {shlex.quote(text)} >{_FILE}")
    try:
        yield
    finally:
        _root(host, f"cp -p {kept} {_FILE}; rm {kept}")


def _issued(bench: Bench, names: list[str], **dates: float) -> AbstractContextManager[None]:
    """Serve a certificate for these names with these dates for the block."""
    pair = issue(bench.authority, names, **dates)
    return _certificate(bench, pair.chain + pair.key)


@contextmanager
def _certificate(bench: Bench, text: str) -> Iterator[None]:
    """Serve another certificate for the block, from file and memory alike."""
    try:
        with _file(bench.host, text):
            _root(bench.host, _RELOAD)
            yield
    finally:
        _root(bench.host, _RELOAD)
