"""Inventories as people write them, each with one running host: address, user and messages follow their meaning."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from tests.lab.labhost import REPO, LabHost

TOOLS = Path(sys.executable).parent
NOBODY = 65534
AWAY = "198.18.65.251"
"""An address of the lab's network that no host has."""


class Ran:
    """Result of a playbook: exit code and output, with each run of blanks as one."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.rc, self.output = done.returncode, done.stdout
        self.said = " ".join(done.stdout.split())


def run(
    playbook: str | Path,
    *args: str,
    inventory: Path,
    cwd: Path = REPO,
    env: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
) -> Ran:
    """Run a playbook as typed in `cwd`, with no ansible.cfg but the one that Ansible finds there."""
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    surroundings |= {"ANSIBLE_NOCOLOR": "1", **(env or {})}
    command = [*prefix, str(TOOLS / "ansible-playbook"), str(playbook), *args, "-i", str(inventory)]
    return Ran(
        subprocess.run(
            command,
            cwd=cwd,
            env=surroundings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
    )


@pytest.fixture
def login(oncall: LabHost) -> dict[str, Any]:
    """Return the variables by which Ansible logs in to the host, without its address."""
    pinned = f"-o UserKnownHostsFile={oncall.known_hosts} -o HostKeyAlias={oncall.address} -o StrictHostKeyChecking=yes"
    return {
        "ansible_user": "operator",
        "ansible_ssh_private_key_file": str(oncall.key),
        "ansible_ssh_common_args": pinned,
        "ansible_become": True,
    }


def write(to: Path, content: Mapping[str, Any]) -> Path:
    """Write an inventory as JSON, which is YAML too."""
    to.write_text(json.dumps(content))
    return to


def proven(ran: Ran, host: LabHost, port: int = 8765) -> None:
    """Fail unless the host was dialled at its own address, and every check of it held."""
    assert ran.rc == 0, ran.output
    assert f"by http://{host.address}:{port}, in" in ran.said, ran.output
    assert "❌" not in ran.said


@pytest.fixture
def server_here() -> Iterator[None]:
    """Run our server on the controller's own call port: it answers everything that a host might be asked."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 8765)) == 0:
            pytest.skip("port 8765 of this machine is in use: the test would ask somebody else's server")
    command = [str(TOOLS / "exotel-ws"), "serve", "--mode", "echo", "--host", "127.0.0.1", "--port", "8765"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        deadline = monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", 8765)) != 0:
            assert monotonic() < deadline
            sleep(0.1)
        yield
        server.kill()


@contextmanager
def drops(host: LabHost, port: int = 8765) -> Iterator[None]:
    """Let the host drop all packets from elsewhere to its call port."""
    rules = f"table inet drops {{ chain in {{ type filter hook input priority 0; iif != lo tcp dport {port} drop; }}; }}"
    host.run(f"sudo sh -c 'echo \"{rules}\" | nft -f -'")
    try:
        yield
    finally:
        host.run("sudo nft delete table inet drops")


# -- names of a host -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("server_here")
def test_by_address_the_host_is_dialled_and_not_the_controller(oncall: LabHost, login: dict[str, Any], tmp_path: Path) -> None:
    """A host without ``ansible_host`` is dialled at its name: in a task delegated to localhost that would be localhost."""
    inventory = write(tmp_path / "hosts.yml", {"all": {"hosts": {oncall.address: {}}, "vars": login}})
    proven(run("playbooks/verify.yml", inventory=inventory), oncall)
    with drops(oncall):
        dropped = run("playbooks/verify.yml", inventory=inventory)
        judged = run("playbooks/doctor.yml", inventory=inventory)
    assert dropped.rc != 0
    assert f"http://{oncall.address}:8765" in dropped.said, dropped.output
    assert f"✅ {oncall.address} takes calls" not in dropped.said
    assert judged.rc != 0
    assert "❌ host-firewall" in judged.said, judged.output
    assert "✅ outside-reach" not in judged.said


def test_by_a_name_that_the_controller_knows(oncall: LabHost, login: dict[str, Any], tmp_path: Path) -> None:
    line = f"{oncall.address} voicebot-by-name.test # a test of exotel-voicebot\n"
    hosts = Path("/etc/hosts")
    before = hosts.read_text()
    hosts.write_text(f"{before.rstrip()}\n{line}")
    try:
        inventory = write(tmp_path / "hosts.yml", {"exotel_ws": {"hosts": {"voicebot-by-name.test": login}}})
        ran = run("playbooks/verify.yml", inventory=inventory)
    finally:
        hosts.write_text(hosts.read_text().replace(line, ""))
    assert ran.rc == 0, ran.output
    assert "by http://voicebot-by-name.test:8765, in" in ran.said, ran.output


def test_by_ipv6_the_url_has_brackets(oncall: LabHost, login: dict[str, Any], tmp_path: Path) -> None:
    """The dialled address counts, because the server listens on 0.0.0.0."""
    here, there = "fd00:e:65::1", "fd00:e:65::2"
    device = oncall.run("ip -o -4 route get 198.18.65.1 | grep -o 'dev [^ ]*'").stdout.split()[1]
    made = subprocess.run(["ip", "-6", "addr", "add", f"{here}/64", "dev", "exolab0", "nodad"], check=False, capture_output=True)
    if made.returncode != 0:
        pytest.skip(f"this machine gives the lab's network no IPv6: {made.stderr.decode()}")
    try:
        oncall.run(f"sudo ip -6 addr add {there}/64 dev {device} nodad")
        inventory = write(tmp_path / "hosts.yml", {"exotel_ws": {"hosts": {"voicebot-1": {**login, "ansible_host": there}}}})
        status = run("playbooks/status.yml", inventory=inventory)
        ran = run("playbooks/verify.yml", inventory=inventory)
    finally:
        oncall.run(f"sudo ip -6 addr del {there}/64 dev {device}", check=False)
        subprocess.run(["ip", "-6", "addr", "del", f"{here}/64", "dev", "exolab0"], check=False)
    assert status.rc == 0, status.output
    assert ran.rc != 0
    assert f"http://[{there}]:8765" in ran.said, ran.output
    assert "listens on 0.0.0.0:8765 only" in ran.said, ran.output


def test_by_a_host_of_ssh_config_behind_a_jump_host(oncall: LabHost, login: dict[str, Any], tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(
        f"Host bastion voicebot-prod\n  HostName {oncall.address}\n  User operator\n  IdentityFile {oncall.key}\n"
        f"  UserKnownHostsFile {oncall.known_hosts}\n  StrictHostKeyChecking yes\nHost voicebot-prod\n  ProxyJump bastion\n"
    )
    variables = {"ansible_ssh_common_args": f"-F {config}", "ansible_become": True}
    inventory = write(tmp_path / "hosts.yml", {"exotel_ws": {"hosts": {"voicebot-prod": variables}}})
    proven(run("playbooks/verify.yml", inventory=inventory), oncall)


def test_a_group_in_a_group_and_two_users_of_different_hosts(oncall: LabHost, login: dict[str, Any], tmp_path: Path) -> None:
    home = "/home/second"
    oncall.run(
        f"sudo useradd --create-home --shell /bin/bash second && sudo mkdir -m 700 {home}/.ssh && "
        f"sudo cp ~operator/.ssh/authorized_keys {home}/.ssh/ && sudo chown -R second: {home}/.ssh && "
        "echo 'second ALL=(ALL) NOPASSWD: ALL' | sudo tee /etc/sudoers.d/second"
    )
    at = {"ansible_host": oncall.address}
    mumbai = {"hosts": {"voicebot-1": at, "voicebot-2": {**at, "ansible_user": "second"}}, "vars": login}
    inventory = write(tmp_path / "hosts.yml", {"exotel_ws": {"children": {"mumbai": mumbai}}, "database": {"hosts": {"db": {}}}})
    try:
        ran = run("playbooks/status.yml", inventory=inventory)
    finally:
        oncall.run("sudo rm /etc/sudoers.d/second; sudo pkill -u second; sudo userdel --remove --force second", check=False)
    assert ran.rc == 0, ran.output
    assert [line.split()[0] for line in ran.output.splitlines() if "unreachable=0" in line] == ["voicebot-1", "voicebot-2"]


# -- users and folders ---------------------------------------------------------------------------------------------------


@pytest.fixture
def public_path() -> Iterator[Path]:
    """Yield a directory that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="exotel-inventories-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_sudo_for_the_hosts_is_none_for_the_controller(oncall: LabHost, login: dict[str, Any], public_path: Path) -> None:
    """A user without sudo may run it; the hosts' password is offered to nobody here."""
    asked, programs, home = public_path / "asked", public_path / "bin", public_path / "home"
    for directory in (programs, home):
        directory.mkdir()
    sudo = programs / "sudo"
    sudo.write_text(f'#!/bin/sh\necho "$@" >>{asked}\nexit 1\n')
    sudo.chmod(0o755)
    os.chown(public_path, NOBODY, NOBODY)
    os.chown(home, NOBODY, NOBODY)
    # This user may read the tree wherever it is, may write nothing and is not root.
    prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    prefix += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    if subprocess.run([*prefix, "true"], check=False).returncode != 0:
        pytest.skip("setpriv cannot give up root here")
    variables = {**login, "ansible_become_password": "of-the-server", "ansible_become_method": "ansible.builtin.sudo"}
    inventory = write(public_path / "hosts.yml", {"all": {"hosts": {oncall.address: {}}, "vars": variables}})
    env = {"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}"}
    proven(run("playbooks/verify.yml", inventory=inventory, env=env, prefix=prefix), oncall)
    # Short calls that other tests placed to the shared host are not to be judged here.
    for verb in (("playbooks/doctor.yml", "-e", "since=-1s"), ("playbooks/logs.yml",)):
        ran = run(*verb, "-e", "ansible_become=true", inventory=inventory, env=env, prefix=prefix)
        assert ran.rc == 0, ran.output
    assert not asked.exists(), asked.read_text()


def test_from_a_controller_in_another_time_zone(oncall: LabHost, tmp_path: Path) -> None:
    ran = run("deploy.yml", "--check", inventory=oncall.inventory, env={"TZ": "Pacific/Kiritimati"})
    assert ran.rc == 0, ran.output
    assert "clock +" in ran.said or "clock -" in ran.said, ran.output


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy this tree with its links to a path with a blank, in a folder that anybody may write to."""
    clone = tmp_path_factory.mktemp("clone") / "a voice bot"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=REPO, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        if (REPO / name).exists():
            shutil.copy2(REPO / name, clone / name, follow_symlinks=False)
    clone.chmod(0o777)
    return clone


@pytest.mark.parametrize("folder", ["/", ".", "playbooks"])
@pytest.mark.parametrize("verb", ["playbooks/verify.yml", "playbooks/logs.yml"])
def test_from_any_folder_of_a_clone_that_anybody_may_write_to(folder: str, verb: str, clone: Path, oncall: LabHost) -> None:
    """Roles and collections are found although Ansible uses no ansible.cfg there."""
    ran = run(clone / verb, inventory=oncall.inventory, cwd=clone / folder)
    assert ran.rc == 0, ran.output


# -- spellings of a value ------------------------------------------------------------------------------------------------

SECRET = "a-token-of-the-vault"


def test_a_vaulted_credential_is_one_and_numbers_may_be_texts(oncall: LabHost, tmp_path: Path) -> None:
    password = tmp_path / "vault-password"
    password.write_text("of the test\n")
    vault = [str(TOOLS / "ansible-vault"), "encrypt_string", "--vault-password-file", str(password)]
    made = subprocess.run(
        [*vault, "--stdin-name", "exotel_ws_credentials"], input=f"KEY:{SECRET}\n", text=True, capture_output=True, check=True
    )
    settings = tmp_path / "settings.yml"
    settings.write_text(f'{made.stdout}\nexotel_ws_port: "8765"\nexotel_ws_workers: "2"\ngcp_firewall_tls: "no"\n')
    ran = run(
        "deploy.yml", "--check", "--diff", "-vvv", "-e", f"@{settings}", "--vault-password-file", str(password),
        inventory=oncall.inventory,
    )  # fmt: skip
    assert ran.rc == 0, ran.output
    assert f"ws://USER:TOKEN@{oncall.address}:8765?sample-rate=8000" in ran.said, ran.output
    assert SECRET not in ran.output


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"exotel_ws_credentials": SECRET}, "exotel_ws_credentials: entry 1: it must be user:token"),
        ({"exotel_ws_credentials": ["KEY:short"]}, "exotel_ws_credentials: entry 1: its token has fewer than"),
        ({"exotel_ws_paths": {}}, "exotel_ws_paths is {}: it must be a list"),
        ({"exotel_ws_port": None}, "exotel_ws_port is null: it has no value"),
        ({"exotel_ws_settings": {"limits": {"max_calls": "many"}}}, "exotel_ws_settings: limits.max_calls"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_a_host_is_asked(written: dict[str, Any], said: str, oncall: LabHost) -> None:
    ran = run("deploy.yml", "-vvv", "-e", json.dumps(written), inventory=oncall.inventory)
    assert ran.rc != 0
    assert said in ran.said, ran.output
    assert "SSH: EXEC" not in ran.output
    assert SECRET not in ran.output.replace(json.dumps(written), "")


# -- fleets --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [True, False], ids=["the canary", "another"])
def test_one_host_of_a_fleet_is_away(first: bool, oncall: LabHost, login: dict[str, Any], tmp_path: Path) -> None:
    """An unreachable host is named once with the cure, and no host is changed."""
    away = {"web-away": {**login, "ansible_host": AWAY, "ansible_ssh_timeout": 3}}
    here = {"web-here": {**login, "ansible_host": oncall.address}}
    inventory = write(tmp_path / "hosts.yml", {"exotel_ws": {"hosts": {**away, **here} if first else {**here, **away}}})
    before = oncall.run("cat /var/lib/exotel-ws/audit.jsonl | wc -l; readlink /etc/exotel-ws/current").stdout
    for verb in ("deploy.yml", "playbooks/restart.yml"):
        ran = run(verb, "-e", "exotel_ws_max_calls=79", inventory=inventory)
        assert ran.rc != 0
        assert ran.output.count("fatal: ") == 1, ran.output
        assert "web-away cannot be reached: " in ran.said
        assert "To go on without it: --limit 'all:!web-away'" in ran.said, ran.output
        assert "No command can be run as root" not in ran.said
    assert oncall.run("cat /var/lib/exotel-ws/audit.jsonl | wc -l; readlink /etc/exotel-ws/current").stdout == before
    looked = run("playbooks/status.yml", inventory=inventory)
    assert (looked.rc != 0, "serving" in looked.said) == (True, True), looked.output
    without = run("deploy.yml", "--check", "--limit", "all:!web-away", inventory=inventory)
    assert without.rc == 0, without.output


def test_a_shim_of_pyenv_is_no_interpreter(oncall: LabHost, login: dict[str, Any], tmp_path: Path) -> None:
    names = " ".join(["python3", *(f"python3.{minor}" for minor in range(8, 15))])
    oncall.run(
        "cp ~/.bashrc ~/.bashrc.before; mkdir -p ~/.pyenv/shims; cd ~/.pyenv/shims; "
        f"for name in {names}; do printf '#!/bin/sh\\necho \"pyenv: $name: command not found\" >&2\\nexit 127\\n' >$name; "
        "chmod +x $name; done; sed -i '1i export PATH=$HOME/.pyenv/shims:$PATH' ~/.bashrc"
    )
    oncall.disconnect()
    inventory = write(tmp_path / "hosts.yml", {"exotel_ws": {"hosts": {"voicebot-1": {**login, "ansible_host": oncall.address}}}})
    try:
        assert oncall.run("python3 -V", check=False).returncode == 127, "the shim is not first in PATH"
        status = run("playbooks/status.yml", inventory=inventory)
        deploy = run("deploy.yml", "--check", inventory=inventory)
    finally:
        oncall.run("mv ~/.bashrc.before ~/.bashrc; rm -rf ~/.pyenv")
    assert (status.rc, deploy.rc) == (0, 0), status.output + deploy.output
