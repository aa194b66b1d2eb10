"""sslyze, a TLS scanner, in an environment of its own: it brings its own OpenSSL, old enough to speak what no edge should.

It is under the AGPL, so that nothing of this project imports it: the tests run it as a command, and read what it prints.
"""

import json
import re
import subprocess
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.labhost import REPO

LOCK = REPO / "requirements/scan.lock"
SCANS = (
    *("certinfo", "sslv2", "sslv3", "tlsv1", "tlsv1_1", "tlsv1_2", "tlsv1_3", "elliptic_curves"),
    *("reneg", "compression", "early_data", "heartbleed", "openssl_ccs", "robot"),
)
INSTALL_S, SCAN_S = 300.0, 120.0


@dataclass(frozen=True)
class Scanner:
    """Installed scanner; ``python`` is the interpreter of its environment."""

    python: Path

    def scan(self, name: str, address: str, roots: Path, port: int = 443) -> Mapping[str, Any]:
        """Return the result of each scan by its name, for a client that trusts ``roots`` and asks ``address`` for ``name``.

        Raises AssertionError if one of them did not come to an end.
        """
        asked = [*(f"--{scan}" for scan in SCANS), f"--certinfo_ca_file={roots}"]
        command = [
            str(self.python),
            "-m",
            "sslyze",
            "--mozilla_config=disable",
            *asked,
            "--json_out=-",
            f"{name}:{port}{{{address}}}",
        ]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SCAN_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        [server] = json.loads(done.stdout)["server_scan_results"]
        assert server["scan_status"] == "COMPLETED", server
        found = {scan: one for scan, one in server["scan_result"].items() if one["status"] != "NOT_SCHEDULED"}
        assert all(one["status"] == "COMPLETED" for one in found.values()), found
        return {scan: one["result"] for scan, one in found.items()}


def install(folder: Path) -> Scanner:
    """Install the locked scanner into ``folder``. Raises AssertionError if that fails."""
    venv.create(folder, with_pip=True)
    scanner = Scanner(folder / "bin/python")
    # It comes as sources; what builds it is held to the same lock.
    builds = [entry for entry in re.split(r"\n(?=\S)", LOCK.read_text("utf-8")) if entry.startswith("setuptools==")]
    (folder / "builds.lock").write_text("\n".join(builds), "utf-8")
    for lock in (folder / "builds.lock", LOCK):
        command = [
            str(scanner.python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "--no-build-isolation",
            "-r",
            str(lock),
        ]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return scanner
