"""The search for keys that the lab's tests rely on: what it must find, it finds."""

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import key_search
from tests.lab.spellings import spellings

KEY = "exotel:4hk0-7Sxu_QdUnm2tXKx0aVbN3w1eJc8"
TOKEN = KEY.partition(":")[2]


def search(*folders: Path, env: dict[str, str] | None = None) -> dict[str, dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-I", key_search.__file__, *map(str, folders)],
        input="\n".join(spellings(KEY)), capture_output=True, text=True, check=True, timeout=60, env=env,
    )  # fmt: skip
    found: dict[str, dict[str, object]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    "text",
    [
        f"a {TOKEN} b",
        f"Basic {base64.b64encode(KEY.encode()).decode()}",
        base64.b64encode(f"somebody:{TOKEN}".encode()).decode(),
        base64.b64encode(f"x{TOKEN}yz".encode()).decode(),
        base64.urlsafe_b64encode(f"xy{TOKEN}".encode()).decode(),
        "x" * (key_search.AT_ONCE - 10) + TOKEN,
    ],
    ids=["plain", "basic", "another user", "one byte on", "url-safe", "across blocks"],
)
def test_a_key_is_found_in_every_form(tmp_path: Path, text: str) -> None:
    (tmp_path / "log").write_text(text)
    (tmp_path / "other").write_text("nothing")
    found = search(tmp_path)
    assert list(found) == [str(tmp_path / "log")]
    assert TOKEN not in json.dumps(found)


def test_a_key_is_found_in_the_words_and_the_environment_of_a_process(tmp_path: Path) -> None:
    waits = "import sys; sys.stdin.read()"
    with (
        subprocess.Popen([sys.executable, "-c", waits, TOKEN], stdin=subprocess.PIPE) as told,
        subprocess.Popen([sys.executable, "-c", waits], stdin=subprocess.PIPE, env={**os.environ, "KEY": TOKEN}) as given,
    ):
        found = search(tmp_path)
    assert {f"/proc/{told.pid}/cmdline", f"/proc/{given.pid}/environ"} <= set(found)


def test_a_search_for_nothing_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", key_search.__file__, str(tmp_path)], input="", text=True, capture_output=True, check=False
    )
    assert done.returncode != 0
    assert "are expected" in done.stderr
