"""Route what pipecat and the libraries of providers log to `logging`, without what a journal should not keep.

They log what callers say at debug level, and a line for each request at info.
"""

import logging
from typing import Any, Final

from loguru import logger as loguru

from exotel_ws.ai.providers.keys import redact

_TARGET: Final = logging.getLogger("pipecat")
_CHATTY: Final = ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "websockets.client", "aiohttp", "urllib3")


def route() -> None:
    """Pass loguru's records on to `logging`, with their levels; those below a warning only if the log level is debug."""
    loguru.remove()
    asked = _TARGET.getEffectiveLevel()
    least = asked if asked <= logging.DEBUG else max(asked, logging.WARNING)
    loguru.add(_pass_on, level=least, format="{message}", catch=True, backtrace=False, diagnose=False)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def _pass_on(message: Any) -> None:
    record = message.record
    error = record["exception"]
    told = error and redact(str(error.value)) == str(error.value)  # a traceback that holds a key is left out
    _TARGET.log(
        record["level"].no,
        "%s: %s",
        record["name"],
        redact(record["message"]),
        exc_info=(error.type, error.value, error.traceback) if told else None,
    )
