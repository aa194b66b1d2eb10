"""Configuration of HAProxy as the role `edge` renders it on a host, with the role's defaults.

The key and the certificate are made here, and the paths are those of a scratch directory instead of a host's.
"""

import json
import os
import secrets
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
ROLES: Final = ROOT / "roles"
ON_HOST: Final = ("/etc/exotel-edge", "/run/exotel-edge", "/run/haproxy")
LISTS: Final = ("basic.lst", "tokens.lst")
COMMAND_S: Final = 120.0


class RenderError(Exception):
    """Error: the configuration could not be rendered, or HAProxy refuses it; the text ends with what was said."""


@dataclass(frozen=True)
class Files:
    """Files that an edge starts from: its configuration, the certificate that clients trust, and the key they show."""

    folder: Path
    haproxy: Path
    certificate: Path
    credential: Path

    def trusting(self) -> dict[str, str]:
        """Return an environment in which every client trusts the certificate."""
        return {**os.environ, "SSL_CERT_FILE": str(self.certificate)}


def haproxy_version() -> str:
    """Return the version of HAProxy on this machine. Raises RenderError if there is none."""
    said = _run(["haproxy", "-v"])
    return said.split()[2].partition("-")[0]


def render(folder: Path, address: str) -> Files:
    """Render into ``folder`` (0700) for an edge that is reached by ``address``. Raises RenderError."""
    files = Files(folder, folder / "haproxy.cfg", folder / "certificate.pem", folder / "stream-credentials")
    key = f"exotel:{secrets.token_urlsafe(32)}"
    _private(files.credential, f"{key}\n")
    _run([sys.executable, "-I", str(ROLES / "edge/files/certificate"), "self-sign", "--out", str(files.certificate), address])
    (folder / "keys").mkdir(mode=0o700)
    settings = {
        "ansible_python_interpreter": sys.executable,
        "exotel_ws_edge": True,
        "exotel_ws_credentials": [key],
        "edge_domain": [address],
        "edge_certificate": "self_signed",
        "_edge_version": haproxy_version(),
        "_edge_addresses": [address],
    }
    _private(folder / "play.json", json.dumps([_play(files)]))
    _private(folder / "settings.json", json.dumps(settings))
    ansible = str(Path(sysconfig.get_path("scripts")) / "ansible-playbook")
    _run([ansible, "-i", "localhost,", "-e", f"@{folder / 'settings.json'}", str(folder / "play.json")])
    text = files.haproxy.read_text("utf-8")
    for path in ON_HOST:
        text = text.replace(path, str(folder))
    files.haproxy.write_text(text, "utf-8")
    _run(["haproxy", "-c", "-q", "-f", str(files.haproxy)])
    return files


def _play(files: Files) -> dict[str, Any]:
    """Return a play that does what the role's task `configure` does, here."""
    configuration = {"src": str(ROLES / "edge/templates/haproxy.cfg.j2"), "dest": str(files.haproxy), "mode": "0600"}
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


def _run(command: list[str]) -> str:
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, check=False, text=True, timeout=COMMAND_S,
        )  # fmt: skip
    except FileNotFoundError:
        raise RenderError(f"there is no {command[0]} (apt install {command[0]})") from None
    if done.returncode:
        raise RenderError(f"{Path(command[0]).name} failed: {(done.stdout + done.stderr).strip()[-1500:]}")
    return done.stdout
