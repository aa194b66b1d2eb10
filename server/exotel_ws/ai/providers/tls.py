"""Share one TLS context between the HTTP clients of all calls."""

import contextlib
from functools import lru_cache


def share_context() -> None:
    """Make the clients of OpenAI's SDK share a TLS context; a context of its own held the loop for 26 ms in each call.

    Does nothing if that SDK is built on another library.
    """
    with contextlib.suppress(ImportError, AttributeError):
        import httpcore2

        if not hasattr(httpcore2.default_ssl_context, "cache_info"):
            httpcore2.default_ssl_context = lru_cache(maxsize=4)(httpcore2.default_ssl_context)
            httpcore2.default_ssl_context(_trust_env=True)  # as the client asks for it: now, and not in the first call
