"""No key of a caller, and no private key, is where it should not be: after a story in which each was shown in every place.

The keys come from playbooks/keys.yml. What the story prints, logs, records and leaves behind is searched for each of them, also
in Base64, and the processes of the host and of this machine are watched meanwhile.
"""

import asyncio
import base64
import contextlib
import io
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.lab import key_search
from tests.lab.labhost import REPO, HostSpec, LabHost, Play, bring_up, play, take_down
from tests.lab.releases import copy_of_tree
from tests.lab.spellings import spellings

SPEC = HostSpec("exo-t51", "bookworm", "198.18.65.151")
WRONG = "exotel:mistyped-0Qq7vLr3ZkXw5nYb9tHs2PfJ"
PLACES = ("basic", "path", "start", "query")
FOLDERS = ("/etc", "/run", "/var", "/tmp", "/root", "/home", "/opt", "/srv")
OWN_PLACES = re.compile(r"/etc/exotel-edge/(keys/[a-z]+\.lst|certificate\.pem)|/etc/exotel-ws/.*|/run/credentials/.*")
"""Files that hold a key because they are its place."""
HERE = str(Path(sys.executable).parent)


@dataclass
class Story:
    """Everything that was printed, logged, recorded and left, by where it comes from."""

    forms: list[str]
    texts: dict[str, bytes] = field(default_factory=dict)
    processes: set[str] = field(default_factory=set)
    files: dict[str, Any] = field(default_factory=dict)

    def leaks(self, place: str) -> int:
        """Return how often a key stands in the text of a place."""
        return len(re.findall(b"|".join(re.escape(form.encode()) for form in self.forms), self.texts[place]))


class Fleet:
    """A host with an edge, whose keys stand in a vault beside its inventory."""

    def __init__(self, host: LabHost, folder: Path, source: Path) -> None:
        self.host, self.folder = host, folder
        self.keys_file = folder / "group_vars/all/keys.yml"
        self.keys_file.parent.mkdir(parents=True)
        self.password = folder / "vault-password"
        self.password.write_text("the password of the lab's vault\n")
        settings = {
            "exotel_ws_source": str(source),
            "exotel_ws_edge": True,
            "exotel_ws_accept": ["credentials", "port"],
            "edge_certificate": "self_signed",
            "edge_domain": [host.address],
            "edge_key_in_start": True,
        }
        self.settings = json.dumps(settings)

    def play(self, playbook: str, *args: str) -> Play:
        """Run a playbook as verbosely as it goes."""
        words = ("-vvv", "--diff", "--vault-password-file", str(self.password), *args)
        done = play(playbook, *words, inventory=self.host.inventory)
        assert done.rc == 0, done.stdout
        return done

    def keys(self, action: str, *args: str) -> Play:
        return self.play("playbooks/keys.yml", "-e", f"keys_action={action}", "-e", f"keys_file={self.keys_file}", *args)

    def deploy(self, *args: str) -> Play:
        return self.play("deploy.yml", "-e", self.settings, *args)

    def credentials(self) -> list[str]:
        """Return the keys as the vault has them."""
        ask = ["-m", "ansible.builtin.debug", "-a", "var=exotel_ws_credentials", "-i", str(self.host.inventory)]
        command = [f"{HERE}/ansible", self.host.name, *ask, "--vault-password-file", str(self.password)]
        as_json = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
        said = subprocess.run(command, cwd=REPO, env=as_json, capture_output=True, text=True, check=True, timeout=60).stdout
        found: list[str] = json.loads(said[said.index("{") :])["exotel_ws_credentials"]
        return found


@contextlib.contextmanager
def watched(story: Story) -> Iterator[None]:
    """Look again and again through all processes of this machine, which are those of its lab hosts too."""
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            story.processes |= set(searched([sys.executable, "-I", key_search.__file__], story.forms))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def searched(command: list[str], forms: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, input="\n".join(forms), capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def call(host: LabHost, trusted: ssl.SSLContext, credential: str, place: str) -> bool:
    """Place a call that shows the key there; return whether its audio came back."""
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
            return bool(json.loads(await line.recv())["media"]["payload"] == payload)
    except (OSError, EOFError, WebSocketException):
        return False


def malformed(host: LabHost, trusted: ssl.SSLContext, credential: str) -> None:
    """Send a request that is none, with the key in it."""
    with (
        socket.create_connection((host.address, 443), timeout=10) as raw,
        trusted.wrap_socket(raw, server_hostname=host.address) as tls,
    ):
        tls.sendall(f"GET /{credential} HTTP/9.9\r\nAuthorization: Basic {credential}\r\n\x01:\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            tls.recv(4096)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Play it: two keys are made, deployed, shown, looked at by every tool; the older one is retired."""
    folder = tmp_path_factory.mktemp(SPEC.name)
    [host] = bring_up([SPEC], folder / "hosts.yml")
    fleet = Fleet(host, folder, copy_of_tree(tmp_path_factory.mktemp("tree")))
    fleet.keys("add")
    fleet.keys("add")
    first, second = fleet.credentials()
    told = Story([form for key in (first, second, WRONG) for form in spellings(key)])
    with watched(told):
        told.texts["deploy -vvv --diff"] = fleet.deploy().stdout.encode()
        told.forms += private_key(host)
        trusted = ssl.create_default_context(cadata=ssl.get_server_certificate((host.address, 443)))
        capture = host.start("sudo exotelctl capture --next 4 --out /tmp/exotel-secrets.jsonl --seconds 60")
        assert capture.stdout is not None
        next(line for line in capture.stdout if "Recording the next" in line)
        assert [place for place in PLACES if not asyncio.run(call(host, trusted, first, place))] == []
        capture.communicate(timeout=90)
        assert asyncio.run(call(host, trusted, second, "path"))
        assert [place for place in PLACES if asyncio.run(call(host, trusted, WRONG, place))] == []
        for key in (first, WRONG):
            malformed(host, trusted, key)
        told.texts["keys list -vvv --diff"] = fleet.keys("list").stdout.encode()
        retire = fleet.keys("retire", "-e", f"keys_name={first.partition(':')[0]}", "-e", "keys_force=true")
        told.texts["keys retire -vvv --diff"] = retire.stdout.encode()
        told.texts["deploy --check -vvv --diff"] = fleet.deploy("--check").stdout.encode()
        told.texts["second deploy -vvv --diff"] = fleet.deploy().stdout.encode()
        assert not asyncio.run(call(host, trusted, first, "path")), "a retired key is refused"
        told.texts |= looked(host)
    script = Path(key_search.__file__).read_bytes()
    subprocess.run([*host._ssh(), "cat > /tmp/key_search.py"], input=script, check=True, timeout=30)
    told.files = searched([*host._ssh(), f"sudo python3 -I /tmp/key_search.py {' '.join(FOLDERS)}"], told.forms)
    yield told
    host.disconnect()
    take_down([SPEC], host.inventory)


def private_key(host: LabHost) -> list[str]:
    """Return the lines of the certificate's private key."""
    pem = host.run("sudo cat /etc/exotel-edge/certificate.pem").stdout
    block = re.search(r"-----BEGIN (?:EC )?PRIVATE KEY-----\n(.*?)\n-----END", pem, re.DOTALL)
    assert block
    return [line for line in block[1].splitlines() if len(line) > 16]


def looked(host: LabHost) -> Mapping[str, bytes]:
    """Return what each tool says, and what the host has logged."""
    asked = {
        "journal": "sudo journalctl --sync; sudo journalctl -q --no-pager -a -o json --namespace='*'",
        "status": "sudo exotelctl status; sudo exotelctl status --json",
        "logs": "sudo exotelctl logs",
        "keys": "sudo exotelctl keys; sudo exotelctl keys --json",
        "edge": "sudo exotelctl edge; sudo exotelctl edge --json",
        "url": "sudo exotelctl url",
        "metrics": "curl -s http://127.0.0.1:8765/metrics",
        "doctor": "sudo exotelctl doctor --json --bundle /tmp/exotel-secrets.tar; sudo exotelctl doctor",
        "bundle": "sudo cat /tmp/exotel-secrets.tar",
        "capture": "sudo cat /tmp/exotel-secrets.jsonl",
    }
    said = {}
    for name, command in asked.items():
        done = subprocess.run([*host._ssh(), command], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120)
        said[name] = done.stdout + done.stderr
        assert said[name], command
    with tarfile.open(fileobj=io.BytesIO(said["bundle"])) as tar:
        said["bundle"] = b"\n".join(file.read() for member in tar if (file := tar.extractfile(member)))
    assert said["journal"].count(b"frontend=wss") > 8, "the edge's lines are among them"
    assert b"start" in said["capture"]
    return said


TEXTS = (
    *("deploy -vvv --diff", "deploy --check -vvv --diff", "second deploy -vvv --diff"),
    *("keys list -vvv --diff", "keys retire -vvv --diff"),
    *("journal", "status", "logs", "keys", "edge", "url", "metrics", "doctor", "bundle", "capture"),
)


@pytest.mark.parametrize("place", TEXTS)
def test_no_key_is_in(story: Story, place: str) -> None:
    assert story.leaks(place) == 0


def test_no_key_is_in_the_words_or_the_environment_of_a_process(story: Story) -> None:
    assert story.processes == set()


def test_no_key_is_in_a_file_but_in_its_own_place_for_its_owner_alone(story: Story) -> None:
    assert {path for path in story.files if not OWN_PLACES.fullmatch(path)} == set()
    assert {path: about for path, about in story.files.items() if int(about["mode"], 8) & 0o077} == {}
    # systemd hands a worker its keys in a folder that only root and the worker's user may enter.
    assert {path for path, about in story.files.items() if about["uid"]} <= {
        path for path in story.files if path.startswith("/run/credentials/")
    }
    assert any(path.startswith("/etc/exotel-edge/keys/") for path in story.files), "the search finds what is there"
