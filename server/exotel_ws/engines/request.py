"""Requests to the server and its answers, whichever engine runs."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from exotel_ws.admission.bounds import Ticket


class Request(NamedTuple):
    """Request that becomes a WebSocket. ``path`` includes the query."""

    path: str
    headers: Mapping[str, str]
    remote_host: str
    ticket: Ticket | None = None
    """The connection's account; None only where a test has none."""
    answer_headers: tuple[tuple[str, str], ...] = ()
    """Header fields of the 101 beside those of every one."""


class Answer(NamedTuple):
    """HTTP answer; ``headers`` are sent beside those of every answer."""

    status: int
    content_type: str
    body: str
    headers: tuple[tuple[str, str], ...] = ()


Reply: TypeAlias = "Request | Answer | asyncio.Future[Answer]"
