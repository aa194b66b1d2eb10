"""Tasks of the controller run as the user who typed the command, regardless of variables meant for hosts."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from ansible_collections.exotel.voicebot.plugins.plugin_utils.controller import run_here

from tests.lab.labhost import play

ARGV = [
    sys.executable,
    "-c",
    "import getpass, os, sys; print('here:', os.getuid(), sys.executable, open('in').read(), sys.stdin.read())",
]
PLAYBOOK = [
    {
        "hosts": "all",
        "gather_facts": False,
        "become": True,
        "tasks": [
            {
                "exotel.voicebot.controller_command": {"argv": ARGV, "stdin": "typed", "files": {"in": "ZmlsZQ=="}},
                "register": "ran",
            },
            {"ansible.builtin.debug": {"msg": "{{ ran.stdout }}"}},
        ],
    }
]
OF_HOSTS = {
    "ansible_become": True,
    "ansible_become_user": "nobody-of-this-name",
    "ansible_become_method": "ansible.builtin.sudo",
    "ansible_become_exe": "/nonexistent/sudo",
    "ansible_become_password": "of-the-server",
    "ansible_connection": "ssh",
    "ansible_host": "192.0.2.1",
    "ansible_python_interpreter": "/nonexistent",
    "ansible_ssh_executable": "/nonexistent/ssh",
}


@pytest.mark.slow
@pytest.mark.parametrize("typed", [False, True], ids=["inventory", "extra-vars"])
@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_nothing_that_is_said_to_hosts_holds_here(typed: bool, check: bool, tmp_path: Path) -> None:
    playbook, hosts = tmp_path / "playbook.yml", tmp_path / "hosts.yml"
    playbook.write_text(json.dumps(PLAYBOOK))
    hosts.write_text(json.dumps({"all": {"hosts": {"voicebot-1": {}}, "vars": {} if typed else OF_HOSTS}}))
    arguments = ["-e", json.dumps(OF_HOSTS)] if typed else []
    done = play(str(playbook), *arguments, *(["--check"] if check else []), inventory=hosts, timeout=60)
    assert (done.rc, done.changed) == (0, 0), done.stdout
    assert f"here: {os.getuid()} {sys.executable} file typed" in " ".join(done.stdout.split()), done.stdout


def test_what_it_returns() -> None:
    assert run_here(["sh", "-c", "echo out; echo err >&2; exit 3"]) == {"rc": 3, "stdout": "out", "stderr": "err"}
    assert run_here(["/nonexistent/program"])["rc"] == 127
    late = run_here(["sleep", "30"], timeout_s=0.05)
    assert (late["rc"], "no end within" in late["stderr"]) == (124, True)


def test_its_files_are_its_own_and_gone_afterwards() -> None:
    done = run_here(["sh", "-c", "pwd; stat -c %a secret; cat secret"], files={"secret": "czNjcmV0"})
    directory, mode, content = done["stdout"].splitlines()
    assert (mode, content) == ("600", "s3cret")
    assert not Path(directory).exists()
