"""Imports run one way: exotelctl → exotel_phone → exotel_ws, and in the server its modes → core.

Read from the source, and seen in a fresh interpreter.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
FORBIDDEN: Final = [
    # (package, its folder, packages that it must not import)
    # Packages below itself are rooms that its other modules must not know.
    ("exotel_phone", "tools/exotel_phone", ("exotelctl", "ansible", "ansible_collections")),
    ("exotel_api", "server/exotel_api", ("exotel_phone", "exotelctl", "ansible", "ansible_collections", "exotel_ws.ai")),
    ("exotel_ws", "server/exotel_ws", ("exotel_api", "exotel_phone", "exotelctl", "ansible", "ansible_collections")),
    ("exotel_ws", "server/exotel_ws", ("exotel_ws.ai",)),
    ("exotel_ws", "server/exotel_ws", ("exotel_ws.echo",)),
]
IDS: Final = [f"{package}-not-{forbidden[0]}" for package, _, forbidden in FORBIDDEN]
IMPORT_ALL: Final = """
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
print(*sorted(name for name in sys.modules if any(f"{{name}}.".startswith(f"{{package}}.") for package in {forbidden!r})))
"""
ENVIRONMENT_OF: Final = """
import os, sys
before = dict(os.environ)
{code}
print(os.environ == before, *sorted(name for name in sys.modules if name.startswith("exotel_ws.ai")))
"""


def modules(package: str, folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the dotted name and the file of each module below `folder`; `__main__` is left out, because importing it runs it."""
    for file in sorted(folder.rglob("*.py")):
        parts = file.relative_to(folder).with_suffix("").parts
        if parts[-1] != "__main__":
            yield ".".join((package, *(part for part in parts if part != "__init__"))), file


def imported(source: str) -> set[str]:
    """Return the dotted names that `source` imports anywhere, also inside of functions; relative imports stay in the package."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize(("package", "folder", "forbidden"), FORBIDDEN, ids=IDS)
def test_no_file_imports_what_lies_above_it(package: str, folder: str, forbidden: tuple[str, ...]) -> None:
    files = {name: file for name, file in modules(package, ROOT / folder) if not within(name, forbidden)}
    assert files
    wrong = {str(file): [name for name in imported(file.read_text()) if within(name, forbidden)] for file in files.values()}
    assert {file: names for file, names in wrong.items() if names} == {}


@pytest.mark.parametrize(("package", "folder", "forbidden"), FORBIDDEN, ids=IDS)
def test_importing_all_of_it_loads_nothing_above_it(package: str, folder: str, forbidden: tuple[str, ...]) -> None:
    names = [name for name, _ in modules(package, ROOT / folder) if not within(name, ("exotel_ws.ai", *forbidden))]
    code = IMPORT_ALL.format(modules=names, forbidden=forbidden)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import exotel_ws.settings",
        "from exotel_ws import cli, modes, settings; modes.check(settings.check({'mode': 'echo'}))",
        "from exotel_ws import modes, settings; modes.make(settings.check({'mode': 'echo', 'ai': {}}))",
        "from exotel_ws.server import VoicebotServer; from exotel_ws.settings import Settings; VoicebotServer(Settings())",
    ],
)
def test_the_core_loads_nothing_of_ai_and_leaves_the_environment(code: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "OPENBLAS_"))}
    command = [sys.executable, "-c", ENVIRONMENT_OF.format(code=code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (done.returncode, done.stdout.split()) == (0, ["True"]), done.stderr


def test_an_import_inside_a_function_is_seen() -> None:
    assert within("exotelctl.cli", ("exotelctl",))
    assert not within("exotelctl_more", ("exotelctl",))
    assert "exotelctl.port" in imported("def run():\n    from exotelctl import port\n")
