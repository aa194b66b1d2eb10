"""Stand-ins for SDKs that are not installed, so that modules that import them load.

Run as a program it lists, as JSON, every service that pipecat carries, with the parameters of its constructor.
"""

import importlib.abc
import importlib.machinery
import json
import re
import sys
import types
from collections.abc import Sequence
from typing import Any

from exotel_ws.ai.providers import catalogue
from pydantic_core import core_schema

_PARAMETER = re.compile(r"^ +(\w+)(?: \([^)]*\))?:((?:(?!^ +\w+(?: \([^)]*\))?: ).)*)", re.MULTILINE | re.DOTALL)
_IS_DEPRECATED = re.compile(r"\.\. deprecated::|^\s*Deprecated\b")


class _Meta(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "value":  # of an enumeration's member
            return cls.__name__
        return _Meta(name, (), {"__init__": lambda *_, **__: None})

    def __get_pydantic_core_schema__(cls, *_: object) -> Any:
        return core_schema.any_schema()


class _Module(types.ModuleType):
    def __getattr__(self, name: str) -> Any:
        return getattr(_Meta, name) if name.startswith("__") else _Meta(name, (), {"__init__": lambda *_, **__: None})


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finder asked last: it finds modules that nobody else does, below given packages."""

    def __init__(self) -> None:
        self.packages: set[str] = set()

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        package = name in self.packages or any(name.startswith(f"{one}.") for one in self.packages)
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if package else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def _read(finder: _Finder, stage: catalogue.Stage, name: str) -> dict[str, type]:
    for _ in range(20):  # a module tells of one missing package at a time, and keeps it to itself while there is another module
        try:
            catalogue.classes(stage, name, "one that nobody has")
            return catalogue.classes(stage, name)
        except catalogue.NoSdk as missing:
            finder.packages.add(missing.package)
    raise RuntimeError(f"{name}: there is no end of what it misses: {finder.packages}")


def _deprecated(service: type) -> set[str]:
    """Return the parameters and settings that docstrings of ``service`` and its bases call deprecated."""
    documented = [vars(cls)["__init__"].__doc__ for cls in service.__mro__ if "__init__" in vars(cls)]
    documented.append(getattr(service, "Settings", type(None)).__doc__)
    found = (match for doc in documented for match in _PARAMETER.finditer(doc or ""))
    return {match[1] for match in found if _IS_DEPRECATED.search(match[2])}


def main() -> None:
    finder = _Finder()
    sys.meta_path.append(finder)
    listed = [
        {
            "stage": stage,
            "name": name,
            "class": class_name,
            "hears_itself": catalogue.hears_itself(service),
            "parameters": sorted(catalogue.takes(service).parameters),
            "required": sorted(catalogue.takes(service).required),
            "settings": sorted(catalogue.takes(service).settings),
            "deprecated": sorted(_deprecated(service)),
        }
        for stage in catalogue.STAGES
        for name in catalogue.names(stage)
        for class_name, service in _read(finder, stage, name).items()
    ]
    json.dump(listed, sys.stdout)


if __name__ == "__main__":
    main()
