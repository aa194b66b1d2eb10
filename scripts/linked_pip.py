"""A pip for ansible-test that needs no index: it links what this project's environment has, of whatever version.

``ansible-test sanity`` makes an empty environment for each of its tests, downloads get-pip to give it a pip, and has that
install what the test requires, each at one version. ``scripts/sanity`` lays this file where get-pip would be kept. Started
as get-pip it makes itself the pip of the environment; as that, ``install`` links packages and everything else does nothing.
"""

import shutil
import sys
import sysconfig
from importlib.metadata import distributions
from itertools import pairwise
from pathlib import Path

OURS = Path.home() / "site-packages"  # a link to .venv's, made by scripts/sanity
THEIRS = Path(sysconfig.get_path("purelib"))


def become_pip() -> None:
    (THEIRS / "pip").mkdir()
    (THEIRS / "pip/__init__.py").touch()
    shutil.copyfile(__file__, THEIRS / "pip/__main__.py")


def required(file: Path) -> list[str]:
    """The names in a requirements file, without their versions."""
    lines = file.read_text().splitlines()
    return [line.partition("==")[0] for line in lines if line and not line.startswith("#")]


def link(package: str) -> None:
    """Link what a package put into .venv. Ends the program if it is not there."""
    found = next(iter(distributions(name=package, path=[str(OURS)])), None)
    if found is None:
        sys.exit(f"scripts/sanity: ansible-test requires {package}: add it to the group dev of pyproject.toml, then make lock")
    for top in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
        (THEIRS / top).symlink_to(OURS / top)


def main(arguments: list[str]) -> None:
    if Path(__file__).parent.name != "pip":
        become_pip()
    elif arguments[0] == "install":
        files = [Path(value) for option, value in pairwise(arguments) if option == "-r"]
        for package in [name for file in files for name in required(file)]:
            link(package)


if __name__ == "__main__":
    main(sys.argv[1:])
