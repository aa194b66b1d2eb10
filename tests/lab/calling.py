"""Traffic beside a test: `tests/lab/traffic.py` in a process of its own, and its report."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.labhost import REPO
from tests.lab.traffic import Report


@contextmanager
def calling(
    url: str, *, held: int, arrivals: float, most: int, ca_file: Path | None = None, python: Path = Path(sys.executable)
) -> Iterator[list[Report]]:
    """Call ``url`` while the block runs, ``most`` seconds at most. Afterwards the list holds the callers' report.

    ``held`` calls last as long as the block, ``arrivals`` further ones begin each second. ``python`` runs the callers.
    """
    command = [str(python), "tests/lab/traffic.py", url, "--held", str(held), "--arrivals", str(arrivals), "--most", str(most)]
    if ca_file is not None:
        command += ["--ca-file", str(ca_file)]
    reports: list[Report] = []
    with subprocess.Popen(command, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout
        try:
            assert caller.stdout.readline() == "holding\n"
            yield reports
            output, _ = caller.communicate(timeout=60)
        except BaseException:
            caller.kill()
            raise
    reports.append(Report(**json.loads(output)))
