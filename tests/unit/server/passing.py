"""Virtual time that passes while no task works: hours take no time, and each run is the same."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

Value = TypeVar("Value")


class _Selector(selectors.SelectSelector):
    """Selector that never waits: it lets the time pass instead."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self.passed += timeout
        return ready


class Loop(asyncio.SelectorEventLoop):
    """Event loop whose time passes when nothing is to be done: hours take no time, and each run is the same."""

    def __init__(self) -> None:
        self._passing = _Selector()
        super().__init__(self._passing)

    def time(self) -> float:
        return 1000.0 + self._passing.passed


def at_once(test: Callable[[], Awaitable[Value]]) -> Value:
    """Run ``test`` on such a loop; nothing may be left on it."""

    async def main() -> Value:
        value = await test()
        await asyncio.sleep(0.1)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks are left: {left}"
        return value

    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(main())
