"""Look at the edge of this host: what HAProxy tells of itself, the certificate, its renewal, and the ports.

Everything here can be written as JSON: the doctor judges it on other machines too. No key and no private key is read.
"""

import contextlib
import http.client
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exotel_phone.text import printable

from exotelctl import systemctl
from exotelctl.edge import certificate, config, runtime
from exotelctl.edge.certificate import Certificate, Served
from exotelctl.edge.config import EdgeConfig
from exotelctl.edge.renewal import Renewal
from exotelctl.edge.renewal import look as look_at_renewal
from exotelctl.edge.runtime import MASTER, Process, Silent

LOOPBACK: Final = "127.0.0.1"
CHALLENGE: Final = "/.well-known/acme-challenge/exotelctl-looks"
STRANGERS: Final = "strangers"
KNOWN: Final = "known"
HELD: Final = "held"
BAD_KEYS: Final = "gpc0_rate"
RATE: Final = "conn_rate"
GOOD: Final = "gpc0"
OPEN: Final = "conn_cur"
REFUSED: Final = "gpc1_rate"
"""Stick tables of haproxy.cfg, and what they count of a source."""
MOST_OLD: Final = 3
_RATE_S: Final = 10.0
_ASK_S: Final = 1.5
_MOST_ASKED: Final = 8
_ASKED_OF_UNIT: Final = (
    *("ActiveState", "SubState", "Result", "MainPID", "NRestarts", "UnitFileState", "LoadState"),
    "StateChangeTimestampMonotonic",
)


@dataclass(frozen=True, slots=True)
class State:
    """HAProxy's unit as systemd tells of it; ``enabled`` is its UnitFileState, ``changed_s`` ago it entered its state."""

    active: str = ""
    sub: str = ""
    result: str = ""
    pid: int = 0
    restarts: int = 0
    enabled: str = ""
    changed_s: float | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """Server behind the edge, as the edge checks it: ``status`` such as ``UP``, ``check`` the last check and its answer."""

    backend: str
    name: str
    status: str
    check: str
    address: str = ""

    @property
    def checked(self) -> bool:
        """Return True if the edge checks it: the one for ACME is asked only when it is needed."""
        return self.status != "no check"

    @property
    def up(self) -> bool:
        """Return True if the edge finds it well."""
        return self.status.startswith(("UP", "DRAIN"))


@dataclass(frozen=True, slots=True)
class OldWorker:
    """Worker that a reload replaced, with the connections that it still has; None where it did not say."""

    pid: int
    age_s: float
    connections: int | None


@dataclass(frozen=True, slots=True)
class PutOut:
    """Source that is kept out, for ``left_s`` more seconds if it is quiet: it showed bad keys (``keys``) or came too often
    (``rate``). ``address`` is that of the network, 64 bits of it, for IPv6. ``proven``: it made good calls within a day.
    """

    address: str
    why: str
    count: int
    left_s: float
    proven: bool = False


@dataclass(frozen=True, slots=True)
class Full:
    """Source that made good calls within a day, and more connections than it may have: ``refused`` of them in ten minutes.

    It has ``connections`` now.
    """

    address: str
    refused: int
    connections: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """Certificate that HAProxy has in memory for the file."""

    serial: str
    fingerprint: str
    not_after: str


@dataclass(frozen=True, slots=True)
class Inside:
    """HAProxy's own answers. ``tunnels`` are connections of its newest worker on the port for calls, ``turned_away`` those that
    its limits refused since it started. ``old`` is None without a master socket.
    """

    version: str
    tunnels: int
    turned_away: int
    servers: tuple[Server, ...]
    put_out: tuple[PutOut, ...]
    known: int
    loaded: Loaded | None
    old: tuple[OldWorker, ...] | None
    full: tuple[Full, ...] = ()

    @property
    def for_calls(self) -> tuple[Server, ...]:
        """Return the servers that take calls."""
        return tuple(server for server in self.servers if server.checked)

    @property
    def reaches_none(self) -> bool:
        """Return True if the edge finds no server for a call."""
        return bool(self.for_calls) and not any(server.up for server in self.for_calls)

    @property
    def pile_up(self) -> bool:
        """Return True if there are more old workers than reloads of a sane host leave."""
        return self.old is not None and len(self.old) > MOST_OLD


@dataclass(frozen=True, slots=True)
class Edge:
    """One look at the edge. ``config`` is None where this host has none; the rest is empty then.

    What could not be seen is None, and the field ``no_…`` beside it says why: ``inside`` needs root.
    """

    config: EdgeConfig | None = None
    state: State | None = None
    inside: Inside | None = None
    no_inside: str = ""
    chain: tuple[Certificate, ...] = ()
    no_chain: str = ""
    served: Served | None = None
    no_served: str = ""
    http_status: int = 0
    """Answer of the port for ACME to a request for a challenge; 0 for none, and ``no_http`` says why."""
    no_http: str = ""
    renewal: Renewal | None = None
    needs: str = ""


def look(file: Path = config.CONFIG, master: Path = MASTER) -> Edge:
    """Look at everything, each look bounded. Raises `config.Unusable` for an edge.json that cannot be used."""
    known = config.load(file)
    if known is None:
        return Edge()
    inside, no_inside, needs = None, "", ""
    try:
        inside = look_inside(known, master)
    except Silent as silent:
        no_inside, needs = str(silent), "root" if silent.needs_root else ""
    chain, no_chain, chain_needs = _in_file(known)
    served, no_served = _served(known)
    status, no_http = _http(known) if known.acme else (0, "")
    return Edge(
        config=known,
        state=_state(),
        inside=inside,
        no_inside=no_inside,
        chain=chain,
        no_chain=no_chain,
        served=served,
        no_served=no_served,
        http_status=status,
        no_http=no_http,
        renewal=look_at_renewal(known.domains) if known.acme else None,
        needs=needs or chain_needs,
    )


def look_at_unit(file: Path = config.CONFIG) -> Edge:
    """Look only whether HAProxy runs: cheap, without root, and without a line in its log. Raises `config.Unusable`."""
    known = config.load(file)
    return Edge(config=known, state=_state()) if known else Edge()


def look_inside(known: EdgeConfig, master: Path = MASTER) -> Inside:
    """Ask HAProxy. Raises Silent."""
    admin = Path(known.admin_socket)
    info = runtime.fields(runtime.ask(admin, "show info"))
    rows = runtime.stat(runtime.ask(admin, "show stat"))
    fronts = [row for row in rows if row.get("svname") == "FRONTEND"]
    return Inside(
        version=info.get("Version", ""),
        tunnels=sum(_number(row.get("scur")) for row in fronts if row["pxname"] == "wss"),
        turned_away=sum(_number(row.get("dcon")) + _number(row.get("dses")) for row in fronts),
        servers=tuple(_servers(rows)),
        put_out=tuple(put_out(known)),
        known=next((each.used for each in runtime.tables(runtime.ask(admin, "show table")) if each.name == KNOWN), 0),
        loaded=_loaded(admin, known.certificate_file),
        old=_old(master),
        full=tuple(_full(known)),
    )


def put_out(known: EdgeConfig) -> Iterator[PutOut]:
    """Yield the sources that are kept out at this moment. Raises Silent."""
    admin = Path(known.admin_socket)
    limits = (("keys", BAD_KEYS, known.bad_keys - 1), ("rate", RATE, known.stranger_connections))
    for why, counter, most in limits:
        for entry in runtime.table(runtime.ask(admin, f"show table {STRANGERS} data.{counter} gt {most}")).entries:
            left_s = entry.left_s if why == "keys" else min(entry.left_s, _RATE_S)
            yield PutOut(entry.key, why, entry.values.get(counter, 0), left_s, proven(known, entry.key))


def proven(known: EdgeConfig, source: str) -> bool:
    """Return True if ``source`` made good calls within a day. Raises Silent."""
    text = runtime.ask(Path(known.admin_socket), f"show table {KNOWN} key {runtime.key(source)}")
    return any(entry.values.get(GOOD, 0) > 0 for table in runtime.tables(text) for entry in table.entries)


def _full(known: EdgeConfig) -> Iterator[Full]:
    if not known.known_connections:
        return
    answer = runtime.ask(Path(known.admin_socket), f"show table {HELD} data.{REFUSED} gt 0")
    for entry in runtime.table(answer).entries:
        yield Full(entry.key, entry.values.get(REFUSED, 0), entry.values.get(OPEN, 0))


def _servers(rows: list[dict[str, str]]) -> Iterator[Server]:
    for row in rows:
        if row.get("svname") in ("FRONTEND", "BACKEND") or row.get("type") != "2":
            continue
        check = " ".join(filter(None, (row.get("check_status", ""), row.get("check_code", ""), row.get("last_chk", ""))))
        yield Server(row["pxname"], row["svname"], row.get("status", ""), printable(check), row.get("addr", ""))


def _loaded(admin: Path, file: str) -> Loaded | None:
    try:
        said = runtime.fields(runtime.ask(admin, f"show ssl cert {file}"))
    except Silent:
        return None
    return Loaded(said.get("Serial", ""), said.get("SHA1 FingerPrint", ""), said.get("notAfter", ""))


def _old(master: Path) -> tuple[OldWorker, ...] | None:
    try:
        old = [process for process in runtime.processes(runtime.ask(master, "show proc")) if process.old]
    except Silent:
        return None
    asked = [_asked(master, process) for process in old[:_MOST_ASKED]]
    return (*asked, *(OldWorker(process.pid, process.uptime_s, None) for process in old[_MOST_ASKED:]))


def _asked(master: Path, process: Process) -> OldWorker:
    connections = None
    with contextlib.suppress(Silent):
        said = runtime.fields(runtime.ask(master, f"@!{process.pid} show info", timeout_s=1.0)).get("CurrConns", "")
        connections = int(said) if said.isdecimal() else None
    return OldWorker(process.pid, process.uptime_s, connections)


def _in_file(known: EdgeConfig) -> tuple[tuple[Certificate, ...], str, str]:
    try:
        return certificate.in_file(Path(known.certificate_file)), "", ""
    except certificate.Unreadable as unreadable:
        return (), str(unreadable), unreadable.needs


def _served(known: EdgeConfig) -> tuple[Served | None, str]:
    where = f"{LOOPBACK}:{known.port}"
    try:
        return certificate.served(LOOPBACK, known.port, known.name), ""
    except certificate.Unreadable as unreadable:
        return None, str(unreadable)
    except ConnectionRefusedError:
        return None, f"nothing takes connections on port {known.port}"
    except TimeoutError:
        return None, f"{where} does not answer a TLS handshake"
    except OSError as error:
        return None, f"{where}: {printable(error.strerror or str(error))}"


def _state() -> State | None:
    try:
        shown, now = systemctl.show([config.UNIT], _ASKED_OF_UNIT), time.monotonic()
    except systemctl.CommandFailed:
        return None
    said = shown.get(config.UNIT, {})
    changed = _number(said.get("StateChangeTimestampMonotonic"))
    return State(
        active=said.get("ActiveState", "") if said.get("LoadState") != "not-found" else "not installed",
        sub=said.get("SubState", ""),
        result=said.get("Result", ""),
        pid=_number(said.get("MainPID")),
        restarts=_number(said.get("NRestarts")),
        enabled=said.get("UnitFileState", ""),
        changed_s=round(max(0.0, now - changed / 1e6), 1) if changed else None,
    )


def _http(known: EdgeConfig) -> tuple[int, str]:
    """Ask the port for ACME for a challenge that is not there: any answer of HTTP is one."""
    try:
        connection = http.client.HTTPConnection(LOOPBACK, known.http_port, timeout=_ASK_S)
        with contextlib.closing(connection):
            connection.request("GET", CHALLENGE, headers={"Host": known.name})
            return connection.getresponse().status, ""
    except TimeoutError:
        return 0, f"{LOOPBACK}:{known.http_port} gives no answer within {_ASK_S:g} s"
    except (OSError, http.client.HTTPException) as error:
        return 0, f"{LOOPBACK}:{known.http_port}: {printable(str(error) or type(error).__name__)}"


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0
