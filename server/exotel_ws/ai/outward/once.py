"""Send what a model asks for to its end, and once, though the caller interrupts and the model asks again."""

import asyncio
import json
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, Final

from exotel_ws.ai.outward.client import Answer

KEY: Final = "Idempotency-Key"
"""Header by which a receiver knows a request that it has had."""
_TOLD_FOR_S: Final = 30.0
"""Seconds for which an answer that nobody was told is the answer to the same request; later it may have changed."""
_sending: set[asyncio.Task[Answer]] = set()
"""Requests under way; the loop keeps only weak references."""

Send = Callable[[dict[str, str]], Coroutine[Any, Any, Answer]]
"""Send a request with these headers of its own. Bounded in time. Raises `exotel_ws.ai.outward.client.OutwardError`."""


class Once:
    """Requests of one tool in one call.

    pipecat cancels a tool as the caller interrupts, and the model then calls it anew: an order would be placed twice. So the
    request goes on, and the same arguments get its answer.
    """

    def __init__(self) -> None:
        self._untold: dict[str, tuple[float, asyncio.Task[Answer]]] = {}

    async def __call__(self, arguments: dict[str, Any], send: Send) -> Answer:
        """Return the answer to a request of which ``arguments`` are what the model wrote. Raises what ``send`` does."""
        now = asyncio.get_running_loop().time()
        self._untold = {key: untold for key, untold in self._untold.items() if now - untold[0] < _TOLD_FOR_S}
        asked = json.dumps(arguments, sort_keys=True)
        if asked not in self._untold:
            self._untold[asked] = (now, _begun(send))
        answer = self._untold[asked][1]
        try:
            return await asyncio.shield(answer)
        finally:
            if answer.done():
                self._untold.pop(asked, None)


def _begun(send: Send) -> asyncio.Task[Answer]:
    task = asyncio.create_task(send({KEY: uuid.uuid4().hex}))
    _sending.add(task)
    task.add_done_callback(_over)
    return task


def _over(task: asyncio.Task[Answer]) -> None:
    _sending.discard(task)
    if not task.cancelled():
        task.exception()  # a failure that the caller's interruption kept from being told is no mistake of ours
