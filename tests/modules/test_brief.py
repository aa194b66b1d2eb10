"""The screen shows changes, findings and failures, and with -v everything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # starts ansible-playbook

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  tasks:
    - name: As it should be
      ansible.builtin.command: "true"
      changed_when: false
    - name: Not for this host
      ansible.builtin.command: "true"
      when: false
    - name: Looks into a file
      ansible.builtin.include_tasks: more.yml
    - name: Changes something
      ansible.builtin.command: "true"
    - name: role | Say what was found
      ansible.builtin.debug:
        msg: ["✅ one: yes", "", "    indented"]
    - name: Say one thing
      ansible.builtin.debug: {msg: one thing}
    - name: Say each
      ansible.builtin.debug: {msg: "each {{ item }}"}
      loop: [a, b]
    - name: Breaks
      ansible.builtin.command: "false"
"""


def screen(folder: Path, *arguments: str) -> str:
    (folder / "play.yml").write_text(PLAYBOOK)
    (folder / "more.yml").write_text("- name: From the file\n  ansible.builtin.command: 'true'\n  changed_when: false\n")
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "play.yml", "-i", "localhost,", *arguments]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    # Where the collections come from makes no difference to the screen.
    environment["ANSIBLE_COLLECTIONS_PATH"] = str(folder)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120).stdout


def test_what_is_as_it_should_be_is_not_shown(tmp_path: Path) -> None:
    shown = screen(tmp_path)
    for quiet in ("As it should be", "Not for this host", "Looks into a file", "From the file", "ok: [", "skipping"):
        assert quiet not in shown, shown
    assert "TASK [Changes something]" in shown
    assert "changed: [localhost]" in shown
    assert "localhost | Say what was found:\n    ✅ one: yes\n\n        indented\nlocalhost | one thing\n" in shown
    assert "localhost | each a\nlocalhost | each b\n" in shown
    assert "TASK [Breaks]" in shown
    assert "fatal: [localhost]: FAILED!" in shown
    assert "localhost                  : ok=7 " in shown


@pytest.mark.parametrize("verbose", ["-v", "-vv"])
def test_with_v_all_is_shown(tmp_path: Path, verbose: str) -> None:
    shown = screen(tmp_path, verbose)
    for all_of_it in ("TASK [As it should be]", "TASK [Not for this host]", "TASK [From the file]", "TASK [Breaks]"):
        assert all_of_it in shown
