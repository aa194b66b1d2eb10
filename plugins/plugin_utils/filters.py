"""The frame of a file of filters."""

from __future__ import annotations

from collections.abc import Callable


def filter_module(*functions: Callable[..., object]) -> type:
    """Return the class ``FilterModule`` that Ansible looks for in a file: these filters, each by its function's name."""

    def filters(_self: object) -> dict[str, Callable[..., object]]:
        return {function.__name__: function for function in functions}

    return type("FilterModule", (), {"filters": filters})
