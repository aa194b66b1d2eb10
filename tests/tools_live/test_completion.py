"""TAB in a real, interactive bash."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROMPT = "ready> "
LIMIT_S = 60.0
HEAVY = ("asyncio", "rich", "websockets", "msgspec", "pydantic", "exotel_ws")
PROBE = """
import atexit, sys
atexit.register(lambda: print("LOADED", *[name for name in {heavy!r} if name in sys.modules]))
sys.argv = ["exotelctl"]
from exotelctl.cli import main
main()
"""


class Bash:
    """Interactive bash on its own terminal that has sourced the script."""

    def __init__(self) -> None:
        self._master, slave = pty.openpty()
        bin_dir = Path(sys.executable).parent
        environment = {"PATH": f"{bin_dir}:{os.environ['PATH']}", "PS1": PROMPT, "TERM": "dumb", "HOME": "/nonexistent"}
        command = ["bash", "--norc", "--noprofile", "-i"]
        self._bash = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True)
        os.close(slave)
        self._seen = ""
        begin = 'source <(exotelctl completion bash); bind "set bell-style none"; echo sour""ced\n'
        self.type_until(begin, "\r\nsourced\r\n" + PROMPT)

    def type_until(self, keys: str, shown: str) -> None:
        """Type ``keys`` and wait until ``shown`` is on the screen. Raises AssertionError."""
        os.write(self._master, keys.encode())
        self._seen = ""
        deadline = time.monotonic() + LIMIT_S
        while shown not in self._seen:
            left = deadline - time.monotonic()
            assert left > 0, f"{shown!r} did not come after {keys!r}, but {self._seen!r}"
            if select.select([self._master], [], [], left)[0]:
                self._seen += os.read(self._master, 4096).decode()

    def close(self) -> None:
        self._bash.kill()
        self._bash.wait(10)
        os.close(self._master)


@pytest.fixture
def bash() -> Iterator[Bash]:
    it = Bash()
    try:
        yield it
    finally:
        it.close()


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("exotelctl po", "exotelctl port-clean "),
        ("exotelctl port-clean --po", "exotelctl port-clean --port "),
        ("exotelctl load ws://127.0.0.1:1 --cal", "exotelctl load ws://127.0.0.1:1 --calls "),
        ("exotelctl completion z", "exotelctl completion zsh "),
        ("exotelctl call --wav /etc/passw", "exotelctl call --wav /etc/passwd"),
    ],
)
def test_tab_completes(bash: Bash, typed: str, completed: str) -> None:
    bash.type_until(f"{typed}\t", completed)


def test_tab_lists_the_verbs(bash: Bash) -> None:
    bash.type_until("exotelctl pr\t", "exotelctl protocol-test ")
    bash.type_until("\x15exotelctl \t\t", "protocol-test")


@pytest.mark.parametrize(("words", "completed"), [("exotelctl\npo", "port-clean"), ("exotelctl\nport-clean\n--po", "--port")])
def test_a_tab_loads_nothing_heavy(words: str, completed: str) -> None:
    environment = {
        **os.environ,
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count("\n")),
        "_EXOTELCTL_COMPLETE": "complete_bash",
    }
    command = [sys.executable, "-c", PROBE.format(heavy=HEAVY)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.splitlines() == [completed, "LOADED"], done.stderr


@pytest.mark.parametrize(
    ("shell", "begins"),
    [("bash", "_exotelctl"), ("zsh", "#compdef exotelctl"), ("fish", "complete --command")],
)
def test_the_script_of_a_shell(shell: str, begins: str) -> None:
    """A shell's script needs no running shell: it may be printed under sudo, by Ansible, for another user."""
    command = [str(Path(sys.executable).with_name("exotelctl")), "completion", shell]
    done = subprocess.run(command, env={"PATH": "/usr/bin"}, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.startswith(begins)
