"""A TCP balancer in front of an edge, and what an edge says of who comes by it.

The balancer is HAProxy on another lab host. It tells by the PROXY protocol for whom it connects.
"""

import base64
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.lab.labhost import LabHost
from tests.lab.test_deploy import wait_until

PORT = 8443
CONFIGURATION = """
defaults
    mode tcp
    timeout connect 3s
    timeout client 1h
    timeout server 1h
listen balancer
    bind :{port}
    server edge {to}:443 send-proxy-v2 check check-send-proxy inter 500ms
"""
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
ASK = """
import http.client, json, ssl, sys
address, port, target, headers = sys.argv[1:]
line = http.client.HTTPSConnection(address, int(port), timeout=10, context=ssl._create_unverified_context())
try:
    line.request("GET", target, headers=json.loads(headers))
    print(line.getresponse().status)
except (OSError, http.client.HTTPException):
    print(0)
"""
STATUS = """
import glob, json, socket
calls = []
for path in glob.glob("/run/exotel-ws/*.sock"):
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        line.sendall(b"GET /status HTTP/1.0\\r\\n\\r\\n")
        calls += json.loads(line.makefile("rb").read().partition(b"\\r\\n\\r\\n")[2])["calls"]
print(json.dumps(calls))
"""


@contextmanager
def balancing(on: LabHost, to: LabHost) -> Iterator[str]:
    """Pass connections to a port of one host on to the edge of the other while the block runs. Yield address and port."""
    text = CONFIGURATION.format(port=PORT, to=to.address)
    on.run(f"echo {shlex.quote(text)} | sudo tee /root/balancer.cfg >/dev/null")
    on.run("sudo systemd-run -q --collect --unit balancer haproxy -W -f /root/balancer.cfg")
    try:
        wait_until("the balancer listens", lambda: on.run(f"ss -Hltn 'sport = :{PORT}'").stdout)
        yield f"{on.address}:{PORT}"
    finally:
        on.run("sudo systemctl kill --signal=SIGTERM balancer; sudo systemctl stop balancer", check=False)


def asked(entrance: str, target: str, *, key: str = "", on: LabHost | None = None, forwarded: str = "") -> int:
    """Return the status that a host, or this machine, gets there; 0 if the connection is closed. A key asks for a call."""
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    if key:
        headers |= {**UPGRADE, "Authorization": f"Basic {base64.b64encode(key.encode()).decode()}"}
    words = [*entrance.split(":"), target, json.dumps(headers)]
    if on:
        return int(on.run(shlex.join(["python3", "-c", ASK, *words])).stdout)
    return int(subprocess.run([sys.executable, "-c", ASK, *words], capture_output=True, check=True, timeout=30).stdout)


def live_calls(host: LabHost) -> list[dict[str, Any]]:
    """Return the calls of a host as its workers tell them."""
    found: list[dict[str, Any]] = json.loads(host.run(f"sudo python3 -c {shlex.quote(STATUS)}").stdout)
    return found


def now(host: LabHost) -> str:
    """Return this moment for `lines`."""
    host.run("sleep 1")
    return host.run("date +@%s").stdout.strip()


def lines(host: LabHost, since: str) -> list[dict[str, str]]:
    """Return what server and edge have logged."""
    said = host.run(f"sudo journalctl --sync; sudo journalctl -q --namespace=exotel-ws -o json --since={since}").stdout
    return [json.loads(line) for line in said.splitlines()]


def clients(logged: list[dict[str, str]]) -> set[str]:
    """Return whom the edge's lines name."""
    return {found[1] for line in logged if (found := re.search(r"^edge frontend=wss client=(\S+)", str(line["MESSAGE"])))}
