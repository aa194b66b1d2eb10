"""Starting fast: a verb loads only the modules it needs. (Typer from 0.29 on loads pydantic for every option: 100 ms.)"""

import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from inspect import signature

import pytest
from exotelctl.cli.verbs import GROUPS, Verb

HEAVY = ("asyncio", "rich.console", "websockets", "msgspec", "pydantic", "exotel_ws", "textual", "numpy", "PIL", "pipecat")
VERBS = {name: verb for verbs in GROUPS.values() for name, verb in verbs.items()}
PROBE = """
import sys
try:
    sys.argv[1:] = {argv!r}
    from exotelctl.cli import main
    main()
finally:
    print("LOADED", *[name for name in {heavy!r} if name in sys.modules])
"""


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["trace", "--help"],
        ["call", "--help"],
        ["port-clean", "--help"],
        ["port-clean", "--port", "8765", "--dry-run"],
    ],
)
def test_nothing_heavy_is_loaded(argv: list[str]) -> None:
    code = PROBE.format(argv=argv, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "LOADED"


def test_the_version_is_told_without_loading_anything() -> None:
    code = PROBE.format(argv=["--version"], heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"exotelctl {version('exotel-voicebot')}", "LOADED"]


@pytest.mark.skipif(find_spec("hibari") is None, reason="the ai extra is not installed")
def test_talking_to_a_bot_speaks_with_the_embedded_voice_and_loads_no_pipecat() -> None:
    """Talking to a bot uses the models of AI mode, and loads nothing that makes a bot of them."""
    argv = ["talk", "ws://127.0.0.1:9", "Hello.", "--voice", "embedded"]
    code = PROBE.format(argv=argv, heavy=("hibari", "pipecat"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "refused the connection" in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1] == "LOADED hibari"


@pytest.mark.parametrize("verb", sorted(VERBS.keys() - {"completion"}))
def test_every_verb_documents_an_example_and_its_exit_codes(verb: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exotelctl", verb, "--help"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0
    assert f"Example:\n    exotelctl {verb}" in done.stdout
    assert "<" not in done.stdout.replace("<=", ""), "an option shows its Python type"
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "3 refused" in done.stdout
    assert "--json" in done.stdout


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_the_module_of_every_verb_is_run_with_its_options(verb: Verb) -> None:
    first, *others = signature(import_module(verb.module).run).parameters.values()
    assert first.annotation is verb.options
    assert all(other.default is not other.empty for other in others)


def test_help_lists_every_verb_in_a_line() -> None:
    done = subprocess.run([sys.executable, "-m", "exotelctl", "--help"], capture_output=True, text=True, timeout=30, check=False)
    assert all(f"\n  {verb} " in done.stdout for verb in VERBS)
    assert "..." not in done.stdout.partition("Options:")[2], "a line is cut"
    assert max(map(len, done.stdout.splitlines())) < 80


def test_wrong_usage_exits_2() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exotelctl", "call", "ftp://h"], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert "ws://203.0.113.10:8765" in done.stderr
