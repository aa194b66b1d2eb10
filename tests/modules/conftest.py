"""Let tests import the collection by its full name, as Ansible does, and give them a Compute API to talk to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.modules.compute.server import ComputeServer

sys.path.insert(0, str(Path(__file__).parents[2] / "collections"))


@pytest.fixture
def compute() -> Iterator[ComputeServer]:
    """Yield a Compute API for this test, which fails when a request or an answer was not as Google describes it."""
    from tests.modules.compute.server import ComputeServer  # the document and the crypto of tokens, which few tests need

    server = ComputeServer()
    try:
        yield server
    finally:
        server.close()
    assert not server.violations, "\n".join(["what Google's description of the API does not allow:", *server.violations])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests with a Compute API as slow: each starts a server, and waits for its operations."""
    for item in items:
        if "compute" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
