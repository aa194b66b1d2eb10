"""Configuration of HAProxy as the role `edge` renders it on a host, with the role's defaults.

The key and the certificate are made here, and the paths are those of a scratch directory instead of a host's.
"""

import json
import os
import re
import secrets
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.edge.haproxy import ROOT, HAProxy, output_of

ROLES: Final = ROOT / "roles"
ON_HOST: Final = ("/etc/exotel-edge", "/run/exotel-edge", "/run/haproxy")
LISTS: Final = ("basic.lst", "tokens.lst")


@dataclass(frozen=True)
class Files:
    """Files that an edge starts from: its HAProxy and configuration, the certificate that clients trust, the key they show."""

    haproxy: HAProxy
    folder: Path
    configuration: Path
    certificate: Path
    credential: Path

    def certbot_port(self) -> str:
        """Return the port of loopback where the configuration has certbot answer."""
        [port] = re.findall(r"server certbot 127\.0\.0\.1:(\d+)", self.configuration.read_text("utf-8"))
        return str(port)

    def trusting(self) -> dict[str, str]:
        """Return an environment in which every client trusts the certificate."""
        return {**os.environ, "SSL_CERT_FILE": str(self.certificate)}


def render(haproxy: HAProxy, address: str) -> Files:
    """Render into HAProxy's own folder for an edge that is reached by ``address``. Raises SetupError."""
    folder = haproxy.folder
    files = Files(haproxy, folder, folder / "haproxy.cfg", folder / "certificate.pem", folder / "stream-credentials")
    key = f"exotel:{secrets.token_urlsafe(32)}"
    _private(files.credential, f"{key}\n")
    output_of(
        [sys.executable, "-I", str(ROLES / "edge/files/certificate"), "self-sign", "--out", str(files.certificate), address]
    )
    (folder / "keys").mkdir(mode=0o700)
    settings = {
        "ansible_python_interpreter": sys.executable,
        "exotel_ws_edge": True,
        "exotel_ws_credentials": [key],
        "edge_domain": [address],
        "edge_certificate": "acme",  # so that port 80 is there too
        "_edge_version": haproxy.version.partition("-")[0],
        "_edge_addresses": [address],
        "_edge_moved_from": 0,
    }
    _private(folder / "play.json", json.dumps([_play(files)]))
    _private(folder / "settings.json", json.dumps(settings))
    ansible = str(Path(sysconfig.get_path("scripts")) / "ansible-playbook")
    output_of([ansible, "-i", "localhost,", "-e", f"@{folder / 'settings.json'}", str(folder / "play.json")])
    text = files.configuration.read_text("utf-8")
    for path in ON_HOST:
        text = text.replace(path, str(folder))
    files.configuration.write_text(text, "utf-8")
    output_of(haproxy.command("-c", "-q", "-f", str(files.configuration)))
    return files


def _play(files: Files) -> dict[str, Any]:
    """Return a play that does what the role's task `configure` does, here."""
    configuration = {"src": str(ROLES / "edge/templates/haproxy.cfg.j2"), "dest": str(files.configuration), "mode": "0600"}
    keys = {"dest": f"{files.folder}/keys/{{{{ item }}}}", "content": "{{ _edge_keys[item] }}", "mode": "0600"}
    return {
        "name": "Render the configuration of HAProxy",
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars_files": [
            str(ROLES / part) for part in ("exotel_ws/defaults/main.yml", "edge/defaults/main.yml", "edge/vars/main.yml")
        ],
        "tasks": [
            {"name": "Write the configuration", "ansible.builtin.template": configuration},
            {"name": "Write the lists of keys", "ansible.builtin.copy": keys, "loop": LISTS, "no_log": True},
        ],
    }


def _private(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text, "utf-8")
