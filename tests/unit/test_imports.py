"""Imports run one way: exotelctl → exotel_phone → exotel_ws. Read from the source, and seen in a fresh interpreter."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
FORBIDDEN: Final = [
    # (package, its folder, packages that it must not import)
    ("exotel_phone", "tools/exotel_phone", ("exotelctl", "ansible", "ansible_collections")),
    ("exotel_ws", "server/exotel_ws", ("exotel_phone", "exotelctl", "ansible", "ansible_collections")),
]
IMPORT_ALL: Final = """
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
print(*sorted({{name.partition(".")[0] for name in sys.modules}} & set({forbidden!r})))
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


@pytest.mark.parametrize(("package", "folder", "forbidden"), FORBIDDEN, ids=[row[0] for row in FORBIDDEN])
def test_no_file_imports_what_lies_above_it(package: str, folder: str, forbidden: tuple[str, ...]) -> None:
    files = dict(modules(package, ROOT / folder))
    assert files
    wrong = {str(file): [name for name in imported(file.read_text()) if within(name, forbidden)] for file in files.values()}
    assert {file: names for file, names in wrong.items() if names} == {}


@pytest.mark.parametrize(("package", "folder", "forbidden"), FORBIDDEN, ids=[row[0] for row in FORBIDDEN])
def test_importing_all_of_it_loads_nothing_above_it(package: str, folder: str, forbidden: tuple[str, ...]) -> None:
    names = [name for name, _ in modules(package, ROOT / folder) if not name.startswith("exotel_ws.ai.")]
    code = IMPORT_ALL.format(modules=names, forbidden=forbidden)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def test_an_import_inside_a_function_is_seen() -> None:
    assert within("exotelctl.cli", ("exotelctl",))
    assert not within("exotelctl_more", ("exotelctl",))
    assert "exotelctl.port" in imported("def run():\n    from exotelctl import port\n")
