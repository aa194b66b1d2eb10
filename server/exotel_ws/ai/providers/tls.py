"""Share one TLS context between the HTTP clients of all calls."""

import contextlib
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

_MAKERS: Final = (
    ("httpcore2", "default_ssl_context", {"_trust_env": True}),
    ("httpx._transports.default", "create_ssl_context", {"verify": True, "cert": None, "trust_env": True}),
)
"""Modules, their functions that make a context, and the arguments that clients of OpenAI's and of Deepgram's SDK give them."""


def share_context() -> None:
    """Make the clients of SDKs share a TLS context; a context of its own held the loop for 26 ms in each call, twice.

    Does nothing for an SDK that is built on another library.
    """
    for module, name, usual in _MAKERS:
        with contextlib.suppress(ImportError, AttributeError):
            library: Any = import_module(module)
            make = getattr(library, name)
            if not hasattr(make, "cache_info"):
                shared = lru_cache(maxsize=4)(make)
                setattr(library, name, shared)
                shared(**usual)  # as the client asks for it: now, and not in the first call
