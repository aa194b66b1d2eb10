"""A story in which every key of an edge is shown in every place: what it prints, logs, records and leaves behind is kept.

The keys come from playbooks/keys.yml: one serves from the first deploy on and is retired, one is added then and takes its place,
and one was never right. Each is searched for, also in Base64, with the private keys of the certificates; the processes of the
hosts and of this machine are watched meanwhile.
"""

import asyncio
import base64
import contextlib
import io
import json
import os
import re
import shlex
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.lab import key_search
from tests.lab.labhost import REPO, LabHost, Play, play
from tests.lab.spellings import spellings

WRONG = "exotel:mistyped-0Qq7vLr3ZkXw5nYb9tHs2PfJ"
PLACES = ("basic", "path", "start", "query")
FOLDERS = ("/etc", "/run", "/var", "/tmp", "/root", "/home", "/opt", "/srv")
GET = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
HERE = Path(sys.executable).parent
SHOWN = re.compile(r"(The new key, shown this once: )\S+")
PLAYED = ("keys add", "deploy", "keys add beside it", "keys list", "keys retire", "deploy --check", "deploy of the other")
ASKED = {
    "journal": ("sudo journalctl --sync; sudo journalctl -q --no-pager -a -o json --namespace='*'", "frontend=wss"),
    "status": ("sudo exotelctl status; sudo exotelctl status --json", "serving"),
    "logs": ("sudo exotelctl logs", "WebSocket connected"),
    "keys": ("sudo exotelctl keys; sudo exotelctl keys --json", '"retired"'),
    "edge": ("sudo exotelctl edge; sudo exotelctl edge --json", "haproxy.service"),
    "url": ("sudo exotelctl url", "wss://"),
    "metrics": (f"python3 -c {shlex.quote(GET)} http://127.0.0.1:8765/metrics", "exotel_ws_"),
    "doctor": ("sudo exotelctl doctor --json --bundle /tmp/exotel-secrets.tar; sudo exotelctl doctor", '"collected_at"'),
    "bundle": ("sudo cat /tmp/exotel-secrets.tar", "frontend=wss"),
    "capture": ("sudo cat /tmp/exotel-secrets.jsonl", '"calls":4'),
}
"""Command by which each tool of a host, or its logs, is asked, and a word that its answer has if it is one."""


@dataclass
class Story:
    """Output, logs, records and files of the day. ``texts`` and ``files`` are told apart by where they come from.

    ``calls`` holds for each host, and each key that was shown there, what came of the call that showed it in each place.
    """

    forms: list[str] = field(default_factory=list)
    texts: dict[str, bytes] = field(default_factory=dict)
    calls: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    processes: set[str] = field(default_factory=set)
    files: dict[str, Any] = field(default_factory=dict)

    def leaks(self, place: str) -> int:
        """Return how often a key stands in the text of a place."""
        return len(re.findall(b"|".join(re.escape(form.encode()) for form in self.forms), self.texts[place]))


@dataclass(frozen=True)
class OwnCertificate:
    """Certificate of an operator: a chain and its key, as files of this machine."""

    chain: Path
    key: Path


class Fleet:
    """Hosts with an edge, whose keys stand in a vault beside their inventory."""

    def __init__(self, hosts: Sequence[LabHost], source: Path) -> None:
        self.hosts, self.story, self.current = hosts, Story(spellings(WRONG)), ""
        self.inventory = hosts[0].inventory
        self.keys_file = self.inventory.parent / "group_vars/all/keys.yml"
        self.keys_file.parent.mkdir(parents=True)
        self.password = self.inventory.parent / "vault-password"
        self.password.write_text("the password of the lab's vault\n")
        self.settings: dict[str, Any] = {
            "exotel_ws_source": str(source),
            "exotel_ws_edge": True,
            "exotel_ws_accept": ["credentials", "port"],
            "edge_certificate": "self_signed",
            "edge_key_in_start": True,
        }

    def serves(self, own: OwnCertificate) -> None:
        """Serve this certificate from the next deploy on."""
        self.settings |= {
            "edge_certificate": "files",
            "edge_certificate_chain": str(own.chain),
            "edge_certificate_key": str(own.key),
        }
        self.story.forms += of_private_key(own.key.read_text())

    def play(self, name: str, playbook: str, *args: str) -> None:
        """Run a playbook as verbosely as it goes, and keep what it printed. A new key is to be shown, once."""
        words = ("-vvv", "--diff", "--vault-password-file", str(self.password), *args)
        done: Play = play(playbook, *words, inventory=self.inventory)
        assert done.rc == 0, done.stdout
        self.story.texts[name] = SHOWN.sub(r"\1", done.stdout, count=1).encode()

    def keys(self, name: str, action: str, *args: str) -> None:
        self.play(name, "playbooks/keys.yml", "-e", f"keys_action={action}", "-e", f"keys_file={self.keys_file}", *args)

    def deploy(self, name: str, *args: str) -> None:
        self.play(name, "deploy.yml", "-e", json.dumps(self.settings), *args)

    def add(self, name: str) -> str:
        """Make a key and return it as the vault has it."""
        self.keys(name, "add")
        ask = ["-m", "ansible.builtin.debug", "-a", "var=exotel_ws_credentials", "-i", str(self.inventory)]
        command = [f"{HERE}/ansible", self.hosts[0].name, *ask, "--vault-password-file", str(self.password)]
        as_json = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
        said = subprocess.run(command, cwd=REPO, env=as_json, capture_output=True, text=True, check=True, timeout=60).stdout
        found: str = json.loads(said[said.index("{") :])["exotel_ws_credentials"][-1]
        self.story.forms += spellings(found)
        return found


def play_the_story(fleet: Fleet, own: OwnCertificate) -> None:
    """Play it on all hosts at a time. Afterwards they serve the certificate ``own``, and take the key that is ``current``."""
    story, hosts = fleet.story, fleet.hosts
    with watched(story), ThreadPoolExecutor() as at_a_time:
        retired = fleet.add("keys add")
        fleet.deploy("deploy")
        list(at_a_time.map(lambda host: _shows_the_first(story, host, retired), hosts))
        fleet.current = current = fleet.add("keys add beside it")
        fleet.serves(own)
        fleet.keys("keys list", "list")
        fleet.keys("keys retire", "retire", "-e", f"keys_name={retired.partition(':')[0]}", "-e", "keys_force=true")
        fleet.deploy("deploy --check", "--check", "--limit", hosts[0].name)
        fleet.deploy("deploy of the other")
        for key in (current, WRONG, retired):
            list(at_a_time.map(lambda host, key=key: _shows(story, host, key), hosts))
        for said in at_a_time.map(looked, hosts):
            story.texts |= said
    _search_files(story, hosts)


def _search_files(story: Story, hosts: Sequence[LabHost]) -> None:
    """Search every file of the hosts, and what the playbooks used on this machine."""
    script = Path(key_search.__file__).read_bytes()
    for host in hosts:
        subprocess.run([*host._ssh(), "cat > /tmp/key_search.py"], input=script, check=True, timeout=30)
        story.files[host.suite] = _search([*host._ssh(), f"sudo python3 -I /tmp/key_search.py {' '.join(FOLDERS)}"], story.forms)
    here = [str(hosts[0].inventory.parent), str(Path.home() / ".ansible")]
    story.files["here"] = _search([sys.executable, "-I", key_search.__file__, *here], story.forms)


@contextlib.contextmanager
def watched(story: Story) -> Iterator[None]:
    """Look again and again through all processes of this machine, which are those of its lab hosts too."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            story.processes |= set(_search([sys.executable, "-I", key_search.__file__], story.forms))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def looked(host: LabHost) -> Mapping[str, bytes]:
    """Return what each tool of a host says, and what the host has logged."""
    said = {}
    for name, (command, _) in ASKED.items():
        done = subprocess.run([*host._ssh(), command], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120)
        said[name] = done.stdout + done.stderr
    with tarfile.open(fileobj=io.BytesIO(said["bundle"])) as tar:
        said["bundle"] = b"\n".join(file.read() for member in tar if (file := tar.extractfile(member)))
    return {f"{host.suite}: {name}": text for name, text in said.items()}


def of_private_key(pem: str) -> list[str]:
    """Return the lines of the private key in a PEM file."""
    block = re.search(r"-----BEGIN (?:EC )?PRIVATE KEY-----\n(.*?)\n-----END", pem, re.DOTALL)
    assert block
    return [line for line in block[1].splitlines() if len(line) > 16]


def _search(command: list[str], forms: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, input="\n".join(forms), capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _shows_the_first(story: Story, host: LabHost, credential: str) -> None:
    """Show the key of the first deploy, while its calls are recorded."""
    story.forms += of_private_key(host.run("sudo cat /etc/exotel-edge/certificate.pem").stdout)
    capture = host.start("sudo exotelctl capture --next 4 --out /tmp/exotel-secrets.jsonl --seconds 60")
    assert capture.stdout is not None
    next(line for line in capture.stdout if "Recording the next" in line)
    _shows(story, host, credential)
    capture.communicate(timeout=90)


def _shows(story: Story, host: LabHost, credential: str) -> None:
    """Show the key in each place, keep what came of it, and show it in a request that is none."""
    trusted = ssl.create_default_context(cadata=ssl.get_server_certificate((host.address, 443)))
    trusted.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN  # the served certificate itself is trusted
    came_of = {place: asyncio.run(_call(host, trusted, credential, place)) for place in PLACES}
    story.calls.setdefault(host.suite, []).append(came_of)
    _malformed(host, trusted, credential)


async def _call(host: LabHost, trusted: ssl.SSLContext, credential: str, place: str) -> str:
    """Place a call that shows the key there; return "echo", the status and text of a refusal, or the code of a close."""
    token = credential.partition(":")[2]
    url = f"wss://{host.address}/{f'k/{token}' if place == 'path' else ''}{f'?token={token}' if place == 'query' else ''}"
    headers = {"Authorization": f"Basic {base64.b64encode(credential.encode()).decode()}"} if place == "basic" else {}
    start: dict[str, Any] = {"stream_sid": "MZ1", "call_sid": "CA1", "media_format": {"sample_rate": "8000"}}
    if place == "start":
        start["custom_parameters"] = {"token": token}
    payload = base64.b64encode(bytes(320)).decode()
    try:
        async with (
            asyncio.timeout(10),
            connect(url, ssl=trusted, additional_headers=headers, proxy=None, compression=None) as line,
        ):
            await line.send(json.dumps({"event": "start", "stream_sid": "MZ1", "start": start}))
            await line.send(json.dumps({"event": "media", "stream_sid": "MZ1", "media": {"chunk": 1, "payload": payload}}))
            assert json.loads(await line.recv())["media"]["payload"] == payload
            return "echo"
    except InvalidStatus as refusal:
        return f"{refusal.response.status_code} {refusal.response.body.decode().strip()}"
    except ConnectionClosed as closed:
        return str(closed.rcvd and closed.rcvd.code)


def _malformed(host: LabHost, trusted: ssl.SSLContext, credential: str) -> None:
    """Send a request that is none, with the key in it."""
    with (
        socket.create_connection((host.address, 443), timeout=10) as raw,
        trusted.wrap_socket(raw, server_hostname=host.address) as tls,
    ):
        tls.sendall(f"GET /{credential} HTTP/9.9\r\nAuthorization: Basic {credential}\r\n\x01:\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            tls.recv(4096)
