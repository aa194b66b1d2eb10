"""Hosts of the lab, for tests: brought up and removed by ``playbooks/lab.yml``, reached by SSH as ``operator``.

>>> [host] = bring_up([BOOKWORM], tmp_path / "hosts.yml")
>>> assert play("deploy.yml", inventory=host.inventory).rc == 0
>>> host.run("systemctl is-active exotel-ws.socket").stdout
'active\n'
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

REPO = Path(__file__).resolve().parents[2]
LAB_DIR = Path("/var/lib/exotel-voicebot-lab")
RECAP = re.compile(r"^\S+\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


class CommandFailed(AssertionError):
    """A command on a lab host did not exit 0. Its message has the command, the exit code and all output."""


@dataclass(frozen=True)
class HostSpec:
    """Specification of a lab host: its name, the Debian suite and an address of the lab's network."""

    name: str
    suite: str
    address: str


# Names and addresses for tests only, so that they never touch the host of `make deploy`.
BOOKWORM = HostSpec("exo-t12", "bookworm", "198.18.65.112")
TRIXIE = HostSpec("exo-t13", "trixie", "198.18.65.113")


@dataclass(frozen=True)
class LabHost:
    """Running lab host. ``inventory`` is the file that names it to Ansible; its host key is pinned in ``known_hosts``."""

    name: str
    suite: str
    address: str
    inventory: Path
    key: Path
    known_hosts: Path

    def run(self, command: str, *, check: bool = True, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
        """Run a shell command as ``operator`` (who may sudo) and return its exit code, stdout and stderr.

        Exit code 255 is SSH's own: the host could not be reached. ``timeout`` is in seconds.
        Raises CommandFailed for an exit code other than 0 if ``check``, subprocess.TimeoutExpired when time is over.
        """
        done = subprocess.run(
            [*self._ssh(), command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
        if check and done.returncode != 0:
            raise CommandFailed(f"{self.name}: {command}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(self, command: str) -> "subprocess.Popen[str]":
        """Start a shell command as `run` does and return its process; ``stdout`` carries its errors too."""
        return subprocess.Popen(
            [*self._ssh(), command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def boot_id(self) -> str:
        return self.run("cat /proc/sys/kernel/random/boot_id").stdout.strip()

    def reboot(self, *, timeout: float = 60.0) -> None:
        """Reboot and return when a login works on the new boot. Raises TimeoutError after ``timeout`` seconds."""
        before = self.boot_id()
        self.run("sudo systemctl reboot", check=False)
        self.disconnect()
        deadline = monotonic() + timeout
        while monotonic() < deadline:
            answer = self.run("cat /proc/sys/kernel/random/boot_id", check=False)
            if answer.returncode == 0 and answer.stdout.strip() != before:
                return
            sleep(0.1)
        raise TimeoutError(f"{self.name} did not come back from a reboot within {timeout:g} s")

    def disconnect(self) -> None:
        """End the shared SSH connection, if there is one. The next `run` makes a new one."""
        subprocess.run([*self._ssh("-O", "exit")], capture_output=True, timeout=10, check=False)

    def _ssh(self, *options: str) -> list[str]:
        settings = {
            "BatchMode": "yes",
            "ConnectTimeout": "5",
            "ControlMaster": "auto",
            "ControlPath": self.inventory.parent / f"ssh-{self.name}",
            "ControlPersist": "60",
            "ServerAliveInterval": "2",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": self.known_hosts,
        }
        pairs = [f"-o{name}={value}" for name, value in settings.items()]
        return ["ssh", "-F", "none", "-i", str(self.key), *pairs, *options, f"operator@{self.address}"]


@dataclass(frozen=True)
class Play:
    """Result of a playbook: exit code, whole output, and the recap summed over hosts. Unreachable counts as failed."""

    rc: int
    stdout: str
    ok: int
    changed: int
    failed: int


def play(
    playbook: str, *args: str, inventory: Path | None = None, timeout: float = 600.0, tools: Path = Path(sys.executable).parent
) -> Play:
    """Run a playbook of the repository, by its path in it, with further arguments of the ``ansible-playbook`` in ``tools``.

    It is not an error if the playbook fails: see ``rc``. Raises subprocess.TimeoutExpired after ``timeout`` seconds, when
    ansible-playbook and all its processes are killed; hosts that the playbook had started keep running.
    """
    command = [str(tools / "ansible-playbook"), playbook, *args]
    if inventory:
        command += ["-i", str(inventory)]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(REPO / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    with subprocess.Popen(
        command,
        cwd=REPO,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as running:
        try:
            output, _ = running.communicate(timeout=timeout)
        except BaseException:  # time is over, or the tests are interrupted
            os.killpg(running.pid, signal.SIGKILL)
            raise
    recaps = [[int(number) for number in recap] for recap in RECAP.findall(output)]
    ok, changed, unreachable, failed = (sum(column) for column in zip([0, 0, 0, 0], *recaps, strict=True))
    return Play(running.returncode, output, ok, changed, unreachable + failed)


def lab(specs: Sequence[HostSpec], inventory: Path, *args: str, **settings: object) -> Play:
    """Run ``playbooks/lab.yml`` for these hosts; ``settings`` are variables of the role ``lab_host`` less their prefix."""
    hosts = [{"name": spec.name, "suite": spec.suite, "address": spec.address} for spec in specs]
    variables = [json.dumps({"lab_host_hosts": hosts}), f"lab_host_inventory={inventory}"]
    variables += [f"lab_host_{name}={value}" for name, value in settings.items()]
    return play(
        "playbooks/lab.yml",
        *(f"--extra-vars={variable}" for variable in variables),
        *args,
        inventory=REPO / "inventory/lab",
        timeout=900,
    )


def bring_up(specs: Sequence[HostSpec], inventory: Path, *, fresh: bool = True) -> list[LabHost]:
    """Boot these hosts, by default without anything from before, and write ``inventory``. Raises AssertionError."""
    key = LAB_DIR / "ssh/id_ed25519"
    hosts = []
    for spec in specs:
        host = LabHost(spec.name, spec.suite, spec.address, inventory, key, LAB_DIR / "hosts" / spec.name / "known_hosts")
        host.disconnect()
        hosts.append(host)
    done = lab(specs, inventory, fresh=fresh)
    assert done.rc == 0, done.stdout
    return hosts


def take_down(specs: Sequence[HostSpec], inventory: Path) -> None:
    """Shut these hosts down and delete their files and the inventory. Raises AssertionError if that fails."""
    done = lab(specs, inventory, state="absent")
    assert done.rc == 0, done.stdout
