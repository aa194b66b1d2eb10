"""HAProxy of a Debian release: installed over the lab's base of that release, and run there. This machine gets nothing of it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SUITES: Final = ("bookworm", "trixie")
LAB: Final = Path("/var/lib/exotel-voicebot-lab")
LAB_BASE: Final = ROOT / "roles/lab_host/files/lab-base"
OVER_BASE: Final = Path(__file__).with_name("over-base")
COMMAND_S: Final = 120.0
INSTALL_S: Final = 300.0
BUILD_S: Final = 1800.0


class SetupError(Exception):
    """Error of a command that prepares the benchmark; the text ends with what the command said."""


@dataclass(frozen=True)
class HAProxy:
    """Installed HAProxy, of Debian's ``version``; ``folder`` is the only one of this machine that it sees."""

    version: str
    folder: Path
    base: Path
    tree: Path

    @property
    def series(self) -> str:
        """Return the version without its last part, such as 2.6."""
        return ".".join(self.version.split(".")[:2])

    def command(self, *words: str) -> list[str]:
        """Return the command that runs it with these options."""
        return [str(OVER_BASE), "run", str(self.base), str(self.tree), str(self.folder), *words]


def install(suite: str, scratch: Path) -> HAProxy:
    """Install HAProxy of this Debian release below ``scratch``. A base that is missing is built first. Raises SetupError."""
    base, folder, tree = LAB / "base" / suite, scratch / suite, scratch / f"{suite}-tree"
    if not base.exists():
        print(f"building the lab's base of {suite} ...", file=sys.stderr, flush=True)
        LAB.mkdir(mode=0o700, exist_ok=True)
        output_of([str(LAB_BASE), str(LAB), "", suite], BUILD_S)
    base = base.resolve()
    folder.mkdir(mode=0o700)
    output_of([str(OVER_BASE), "install", str(base), str(tree), str(folder)], INSTALL_S)
    said = output_of(HAProxy("", folder, base, tree).command("-v"))
    return HAProxy(said.split()[2], folder, base, tree)


def output_of(command: list[str], within_s: float = COMMAND_S) -> str:
    """Return what a command prints. Raises SetupError if it fails or takes longer."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
            capture_output=True, check=False, text=True, timeout=within_s,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SetupError(str(error)) from None
    if done.returncode:
        raise SetupError(f"{' '.join(command[:3])} failed: {(done.stdout + done.stderr).strip()[-1500:]}")
    return done.stdout
