"""Earlier versions of the server, to measure beside today's on the same interpreter and packages."""

import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Final

_ROOT: Final = Path(__file__).parents[1]


@contextmanager
def server_at(commit: str) -> Iterator[Path | None]:
    """Unpack ``server/`` of a commit and yield the directory that holds it; None if this clone lacks the commit.

    The directory is removed when the block ends.
    """
    archive = subprocess.run(["git", "archive", commit, "server"], cwd=_ROOT, capture_output=True, check=False, timeout=30)
    if archive.returncode != 0:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="exotel-bench-") as folder:
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder)
