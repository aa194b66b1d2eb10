"""The edge on real hosts, as one story for each Debian: wss on, changed, restarted by mistake, off and on again under calls."""

import json
import re
import socket
import ssl
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.lab.calling import calling
from tests.lab.labhost import HostSpec, LabHost, Play, bring_up, play, take_down
from tests.lab.releases import copy_of_tree
from tests.lab.silence import silent
from tests.lab.test_deploy import assert_nobody_noticed, wait_until
from tests.lab.traffic import Report

BOOKWORM = HostSpec("exo-t41", "bookworm", "198.18.65.141")
TRIXIE = HostSpec("exo-t42", "trixie", "198.18.65.142")
KEY = "KEY:a-key-of-the-labs-edge-0123456789"
PLAIN, MOVED = 8765, 8770


@pytest.fixture(scope="module")
def tree() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="exotel-lab-tree-") as directory:
        yield copy_of_tree(Path(directory))


@pytest.fixture(scope="module", params=[BOOKWORM, TRIXIE], ids=lambda spec: spec.suite)
def host(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabHost]:
    spec: HostSpec = request.param
    inventory = tmp_path_factory.mktemp(spec.name) / "hosts.yml"
    [host] = bring_up([spec], inventory)
    yield host
    host.disconnect()
    take_down([spec], inventory)


def settings(host: LabHost, tree: Path, *, edge: bool = True, **more: object) -> str:
    """Return the variables of an edge for ``-e``."""
    said = {
        "exotel_ws_source": str(tree),
        "exotel_ws_edge": edge,
        "edge_certificate": "self_signed",
        "edge_domain": [host.address],
        "exotel_ws_credentials": [KEY],
        **more,
    }
    return json.dumps(said)


def deploy(host: LabHost, tree: Path, *args: str, edge: bool = True, **more: object) -> Play:
    began = monotonic()
    done = play("deploy.yml", *args, "-e", settings(host, tree, edge=edge, **more), inventory=host.inventory)
    print(f"{host.suite}: deploy {' '.join(args)} {more} took {monotonic() - began:.1f} s, changed={done.changed}")
    return done


@contextmanager
def traffic(
    host: LabHost, *, tls: bool = True, key: str = KEY, ca: Path | None = None, held: int = 20, arrivals: float = 5.0
) -> Iterator[list[Report]]:
    """Call the host with a key while the block runs, by wss or plainly. Afterwards the list holds the callers' report.

    The certificate is checked by ``ca``, or must be the self-signed one of the host.
    """
    if tls and ca is None:
        ca = host.inventory.parent / "edge.pem"
        ca.write_text(host.run("sudo openssl x509 -in /etc/exotel-edge/certificate.pem").stdout)
    url = f"wss://{key}@{host.address}" if tls else f"ws://{key}@{host.address}:{PLAIN}"
    with calling(url, held=held, arrivals=arrivals, most=900, ca_file=ca if tls else None) as reports:
        yield reports


def haproxy(host: LabHost, shown: str) -> str:
    return host.run(f"systemctl show --property={shown} --value haproxy.service").stdout.strip()


def ask_haproxy(host: LabHost, command: str) -> str:
    asks = 's.connect("/run/haproxy/admin.sock"); s.sendall(sys.stdin.buffer.read()); print(s.makefile().read())'
    program = f"import socket,sys; s=socket.socket(socket.AF_UNIX); {asks}"
    return host.run(f"echo '{command}' | sudo python3 -c '{program}'").stdout


def answer(host: LabHost, request: str) -> str:
    """Return the status that the edge answers to a request by curl: a path and options."""
    path, *options = request.split()
    command = ["curl", "-sk", "--http1.1", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "5", *options]
    return subprocess.run([*command, f"https://{host.address}{path}"], capture_output=True, text=True, check=False).stdout


UPGRADE = "-HUpgrade:websocket -HConnection:Upgrade -HSec-WebSocket-Version:13 -HSec-WebSocket-Key:AAAAAAAAAAAAAAAAAAAAAA=="


def test_check_mode_on_a_bare_host_works_and_changes_nothing(host: LabHost, tree: Path) -> None:
    there = "sudo find /etc /opt /usr/sbin /var/lib -newer /proc/1 -not -path '/var/lib/systemd/*' | sort"
    before = host.run(there, check=False).stdout
    done = deploy(host, tree, "--check", "--diff")
    assert done.rc == 0, done.stdout
    assert host.run(there, check=False).stdout == before


def test_a_haproxy_of_somebody_else_is_named_and_nothing_is_changed(host: LabHost, tree: Path) -> None:
    own = "/etc/haproxy/haproxy.cfg"
    host.run("sudo apt-get -q update && sudo apt-get -q -y --no-install-recommends install haproxy", timeout=180)
    host.run(f"sudo cp {own} /root/shipped; printf 'listen theirs\\n bind 127.0.0.1:9000\\n' | sudo tee -a {own}")
    host.run("sudo systemctl restart haproxy")
    there = "sudo find /etc /opt /usr/sbin /var/lib -newer /proc/1 -not -path '/var/lib/systemd/*' -printf '%p %T@\\n' | sort"
    before, worker = host.run(there).stdout, haproxy(host, "MainPID")
    done = deploy(host, tree)
    assert done.rc != 0
    said = " ".join(done.stdout.split())
    assert "a HAProxy with a configuration of somebody else runs as haproxy.service" in said, done.stdout
    assert "move what it serves elsewhere (systemctl disable --now haproxy)" in said
    assert host.run(there).stdout == before
    assert haproxy(host, "MainPID") == worker
    assert host.run("ss -Hltn 'sport = :9000'").stdout
    # As its package left it, it serves nobody, and is no obstacle.
    host.run(f"sudo mv /root/shipped {own} && sudo systemctl restart haproxy")


def test_who_holds_the_port_is_named_and_nothing_is_changed(host: LabHost, tree: Path) -> None:
    host.run("sudo systemd-run --unit other-tenant python3 -m http.server 443")
    try:
        wait_until("it listens", lambda: host.run("ss -Hltn 'sport = :443'").stdout)
        done = deploy(host, tree)
    finally:
        host.run("sudo systemctl stop other-tenant")
    assert done.rc != 0
    said = " ".join(done.stdout.split())
    assert "port 443 is held by python3" in said, done.stdout
    assert "systemctl disable --now other-tenant.service" in said
    assert not host.run("ls /etc/exotel-edge", check=False).stdout


def test_a_first_deploy_serves_calls_by_wss_alone(host: LabHost, tree: Path) -> None:
    done = deploy(host, tree)
    assert done.rc == 0, done.stdout
    assert f"wss://USER:TOKEN@{host.address}?sample-rate=8000" in "\n".join(done.stdout.splitlines()[-20:])
    with traffic(host) as reports:
        sleep(3)
    assert_nobody_noticed(reports[0], 25)
    assert host.run(f"ss -Hltn 'sport = :{PLAIN}'").stdout.split()[3] == f"127.0.0.1:{PLAIN}"
    assert haproxy(host, "LogNamespace") == "exotel-ws"
    assert haproxy(host, "NRestarts") == "0"


def test_a_second_deploy_changes_nothing_and_check_mode_neither(host: LabHost, tree: Path) -> None:
    worker = host.run("pgrep -n haproxy").stdout
    for args in ((), ("--check", "--diff")):
        done = deploy(host, tree, *args)
        assert (done.rc, done.changed) == (0, 0), done.stdout
    assert host.run("pgrep -n haproxy").stdout == worker


def test_what_is_no_call_or_has_no_key_does_not_reach_the_server(host: LabHost) -> None:
    token = KEY.partition(":")[2]
    wanted = {
        "/health": "200",
        "/metrics": "404",
        "/ready": "404",
        "/": "426",
        "/x": "404",
        f"/ {UPGRADE}": "401",
        f"/a-key-of-nobody-0123456789 {UPGRADE}": "401",
        f"/ {UPGRADE} -u KEY:wrong": "401",
        f"/ {UPGRADE} -u {KEY}": "101",
        f"/{token} {UPGRADE}": "101",
        f"/?token={token} {UPGRADE}": "101",
        f"/health {UPGRADE} -u KEY:wrong": "401",
        "/health -X GET -d body": "000",
        f"/ {UPGRADE} -u {KEY} -X GET -d body": "000",
        "/health -X GET -H Transfer-Encoding:chunked -d body": "000",
        "/health -H Content-Length:0": "200",
    }
    lines = "sudo journalctl --namespace=exotel-ws -o cat -u haproxy"
    before = host.run(lines).stdout
    assert {request: answer(host, request) for request in wanted} == wanted
    told = host.run(lines).stdout.removeprefix(before)
    seen = Counter(re.findall(r"reason=(\w+)", told))
    assert seen == {"metrics": 2, "not_websocket": 2, "key_missing": 1, "key_wrong": 3, "body": 3}, told
    assert "a-key-of" not in told


def test_a_connection_is_for_one_request_also_where_the_client_begins_with_http_2(host: LabHost) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host.address, 443), timeout=5) as plain, tls.wrap_socket(plain) as stream:
        stream.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        said = stream.recv(100)
    assert said == b"" or said.startswith(b"HTTP/1.1 400")


def test_reloads_and_a_moved_server_lose_no_call_and_keep_what_is_known_of_sources(host: LabHost, tree: Path) -> None:
    # No call comes from there, so that only what a reload hands on can know it.
    source = "key ::ffff:203.0.113.9"
    assert not ask_haproxy(host, f"set table known {source} data.gpc0 7").strip()
    with traffic(host) as reports:
        done = deploy(host, tree, edge_max_connections=3999, exotel_ws_port=MOVED)
        assert done.rc == 0, done.stdout
        assert host.run(f"ss -Hltn 'sport = :{MOVED}'").stdout
        for _ in range(2):
            host.run("sudo systemctl reload haproxy")
            sleep(2)
        host.run("sudo sed -i 's/^frontend wss/frontend/' /etc/exotel-edge/haproxy.cfg")
        assert host.run("sudo systemctl reload haproxy", check=False).returncode != 0
        again = deploy(host, tree)
        assert (again.rc, again.failed) == (0, 0), again.stdout
        assert "gpc0=7" in ask_haproxy(host, f"show table known {source}")
        writes = "import socket; socket.socket(socket.AF_UNIX).connect('/run/exotel-edge/peers')"
        assert "Permission denied" in host.run(f'sudo -u nobody python3 -c "{writes}"', check=False).stderr
    assert_nobody_noticed(reports[0], 40)


def test_a_good_source_cannot_fill_the_edge_with_silence_and_the_host_says_who_tries(host: LabHost) -> None:
    with silent(host.address, 443, 2100) as still_open:
        seen = json.loads(host.run("sudo exotelctl edge --json").stdout)
        assert [source["refused"] >= 100 for source in seen["full"]] == [True], seen
        assert still_open() <= 2000
    with traffic(host, held=2, arrivals=0) as reports:
        sleep(1)
    assert_nobody_noticed(reports[0], 2)


def test_a_restart_by_mistake_drains_and_a_deploy_meanwhile_says_so(host: LabHost, tree: Path) -> None:
    with traffic(host, arrivals=0) as reports:
        host.run("sudo systemctl restart --no-block haproxy")
        wait_until("it drains", lambda: haproxy(host, "ActiveState") == "deactivating")
        done = deploy(host, tree)
        assert done.rc != 0
        assert "HAProxy is being stopped and finishes its calls" in " ".join(done.stdout.split())
    assert_nobody_noticed(reports[0], 20)
    wait_until("it is back", lambda: haproxy(host, "ActiveState") == "active")
    with traffic(host, held=2, arrivals=0) as reports:
        sleep(1)
    assert_nobody_noticed(reports[0], 2)


def test_the_edge_goes_and_comes_with_calls_on_both_sides(host: LabHost, tree: Path) -> None:
    with traffic(host, arrivals=0) as through_the_edge:
        done = deploy(host, tree, edge=False, exotel_ws_accept="port")
        assert done.rc == 0, done.stdout
        with traffic(host, tls=False) as plain:
            assert host.run("systemctl is-enabled haproxy", check=False).stdout == "disabled\n"
            assert haproxy(host, "TimeoutStopUSec") == "1h 35min"
            again = deploy(host, tree, edge=False)
            assert (again.rc, again.changed) == (0, 0), again.stdout
        assert_nobody_noticed(plain[0], 30)
    assert_nobody_noticed(through_the_edge[0], 20)
    wait_until("the edge ends", lambda: haproxy(host, "ActiveState") == "inactive")
    assert "unknown escape" not in host.run("sudo journalctl -b -o cat _PID=1").stdout
    assert host.run("sudo find /etc /run -path '*exotel-edge*'; systemctl list-units --failed --plain --no-legend").stdout == ""
    with traffic(host, tls=False, held=10, arrivals=0) as plain:
        done = deploy(host, tree, exotel_ws_accept="port")
        assert done.rc == 0, done.stdout
        with traffic(host, held=10) as through_the_edge:
            sleep(2)
    assert_nobody_noticed(plain[0], 10)
    assert_nobody_noticed(through_the_edge[0], 15)
    assert haproxy(host, "UnitFileState") == "enabled"


def test_after_a_reboot_it_serves_and_a_shutdown_with_calls_is_bounded(host: LabHost) -> None:
    with traffic(host, held=2, arrivals=0):
        began = monotonic()
        host.reboot(timeout=90)
        print(f"{host.suite}: a reboot with 2 calls took {monotonic() - began:.1f} s")
    wait_until("it serves", lambda: answer(host, "/health") == "200")
    with traffic(host, held=2, arrivals=0) as reports:
        sleep(1)
    assert_nobody_noticed(reports[0], 2)


def test_an_uninstall_takes_the_edge_along(host: LabHost) -> None:
    refused = play("playbooks/uninstall.yml", inventory=host.inventory)
    assert refused.rc != 0
    assert "it ends the edge" in refused.stdout
    with traffic(host, held=2, arrivals=0):
        done = play("playbooks/uninstall.yml", "-e", "uninstall_yes=true", inventory=host.inventory)
    assert done.rc == 0, done.stdout
    assert host.run("sudo find /etc /run /var/lib -path '*exotel*'").stdout == ""
    assert haproxy(host, "ActiveState") == "inactive"
    again = play("playbooks/uninstall.yml", "-e", "uninstall_yes=true", inventory=host.inventory)
    assert (again.rc, again.changed) == (0, 0), again.stdout
