"""ACME authority of the lab: Debian's ``pebble`` on the host whose edge it issues for, and the DNS by which its names lead there.

The authority asks ``pebble-challtestsrv``. This machine has a hosts file instead, which only the programs in ``tools`` see.
"""

import json
import shlex
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.authority import trust
from tests.lab.labhost import LabHost
from tests.lab.test_deploy import wait_until
from tests.unit.edge.authority import Authority

NAME, OTHER = "voice.example.com", "calls.example.com"
_DNS = "127.0.0.1:8053"
PORT, OTHER_PORT = 14000, 14001
"""Ports of the authority, and of another one that the host trusts as it does public ones."""


def _pebble(folder: str, port: int) -> str:
    settings = {
        "listenAddress": f"127.0.0.1:{port}",
        "managementListenAddress": f"127.0.0.1:{port + 1000}",
        "certificate": f"{folder}/cert.pem",
        "privateKey": f"{folder}/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
    }
    return json.dumps({"pebble": settings})


class AcmeAuthority:
    """Authority on a host, for `NAME` and `OTHER`.

    ``settings`` are the variables of an edge that asks it, ``tools`` has an ``ansible-playbook`` and a ``python`` that know the
    names. ``api`` is the authority of its own API; ``root`` is the file of the root of what it issues, once it has started.
    """

    def __init__(self, host: LabHost, folder: Path) -> None:
        self.host, self.folder = host, folder
        self.directory = f"https://127.0.0.1:{PORT}/dir"
        self.api = Authority(folder / "authority")
        self.root = folder / "root.pem"
        self.settings: dict[str, object] = {
            "exotel_ws_edge": True,
            "edge_domain": [NAME],
            "edge_certificate": "acme",
            "edge_acme_directory": self.directory,
            "edge_acme_terms_agreed": True,
            "edge_acme_ca_file": str(self.api.roots),
        }
        self.tools = folder / "tools"
        self.tools.mkdir()
        hosts = folder / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n{host.address} {NAME} {OTHER}\n")
        for program in ("ansible-playbook", "python"):
            wrapped = f'mount --bind {hosts} /etc/hosts && exec {Path(sys.executable).parent}/{program} "$@"'
            (self.tools / program).write_text(f'#!/bin/sh\nexec unshare -m sh -c {shlex.quote(wrapped)} {program} "$@"\n')
            (self.tools / program).chmod(0o755)

    def start(self) -> None:
        """Install and start pebble and its DNS, and keep its root."""
        self.host.run("sudo apt-get -q update && sudo apt-get -q -y install pebble curl", timeout=120)
        self.names_lead_to(self.host.address)
        self.root.write_text(self._start("pebble", self.api, PORT))

    def _start(self, unit: str, authority: Authority, port: int) -> str:
        """Start pebble, its own certificate issued by ``authority``, and return the root of what it issues."""
        api, folder = authority.leaf("IP:127.0.0.1"), f"/root/{unit}"
        files = {"cert.pem": api.pem + authority.intermediate.pem, "key.pem": api.key, "config.json": _pebble(folder, port)}
        for name, text in files.items():
            self.host.run(f"sudo mkdir -p {folder}; echo {shlex.quote(text)} | sudo tee {folder}/{name} >/dev/null")
        quick = "-E PEBBLE_VA_NOSLEEP=1 -E PEBBLE_WFE_NONCEREJECT=0 -E PEBBLE_AUTHZREUSE=0"
        self.host.run(
            f"sudo systemd-run -q --collect --unit {unit} {quick} pebble -config {folder}/config.json -dnsserver {_DNS}"
        )
        root = f"curl -sSk https://127.0.0.1:{port + 1000}/roots/0"
        wait_until("pebble issues", lambda: self.host.run(root, check=False).returncode == 0)
        return self.host.run(root).stdout

    @contextmanager
    def certificate_of_somebody_else(self) -> Iterator[str]:
        """Let the host have another certificate for the block, of the other authority, and yield its name."""
        other, name = Authority(self.folder / "other"), "other.example.com"
        trust(self.host, other.root.pem)
        self._start("pebble-other", other, OTHER_PORT)
        asks = f"certonly --standalone --server https://127.0.0.1:{OTHER_PORT}/dir --cert-name {name} --domain {name}"
        asks += " --http-01-address 127.0.0.1 --http-01-port 302 --agree-tos --register-unsafely-without-email"
        self.host.run(f"sudo certbot {asks} --non-interactive", timeout=120)
        yield name
        self.host.run(f"sudo certbot delete --cert-name {name} --non-interactive; sudo systemctl stop pebble-other")

    def names_lead_to(self, address: str) -> None:
        """Let all names lead to an address, as the authority sees it."""
        nothing = f"-http01 '' -https01 '' -tlsalpn01 '' -dns01 {_DNS} -defaultIPv6 ''"
        self.host.run("sudo systemctl stop pebble-dns", check=False)
        self.host.run(f"sudo systemd-run -q --collect --unit pebble-dns pebble-challtestsrv {nothing} -defaultIPv4 {address}")

    def renew(self) -> None:
        """Renew all certificates as Debian's timer does, but before they are due."""
        due = "^# renew_before_expiry = .*"
        renewal = "/etc/letsencrypt/renewal/*.conf"
        self.host.run(f"sudo sed -i 's/{due}/renew_before_expiry = 9999 days/' {renewal}")
        # The service knows the CA of the authority's API by its drop-in.
        self.host.run("sudo systemctl start certbot.service", timeout=120)
        self.host.run(f"sudo sed -i '/^renew_before_expiry/d' {renewal}")

    def served(self, name: str = NAME, trusted: Path | None = None) -> dict[str, object]:
        """Return the certificate that a caller of this name gets, checked as a caller checks it. Raises ssl.SSLError."""
        context = ssl.create_default_context(cafile=str(trusted or self.root))
        with (
            socket.create_connection((self.host.address, 443), timeout=10) as line,
            context.wrap_socket(line, server_hostname=name) as tls,
        ):
            found: dict[str, object] = dict(tls.getpeercert() or {})
        return found

    def contact(self) -> str:
        """Return to whom the authority writes, as it says."""
        trusted = "REQUESTS_CA_BUNDLE=/etc/exotel-edge/acme-ca.pem"
        shows = f"sudo {trusted} certbot show_account --server {self.directory} --non-interactive"
        return self.host.run(shows, timeout=60).stdout.partition("Email contact: ")[2].strip()

    def serial(self) -> object:
        """Return the serial number of the certificate that a caller gets, in hexadecimal."""
        return self.served()["serialNumber"]
