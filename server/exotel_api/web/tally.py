"""Count what the companion does, for ``/metrics``."""

from typing import Final, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

from exotel_api.callbacks.inbox import Inbox, Kind

RESULTS: Final = ("kept", "lost", "refused")


class Tally:
    """Counts since the process started; every label exists from the start, so that the first increase is seen as one."""

    def __init__(self, inbox: Inbox) -> None:
        self.registry: Final = CollectorRegistry()
        self.callbacks: Final = Counter(
            "exotel_api_callbacks",
            "Requests of Exotel about a call: kept on disk, lost for want of a place, refused for their secret",
            ["kind", "result"],
            registry=self.registry,
        )
        for kind in get_args(Kind):
            for result in RESULTS:
                self.callbacks.labels(kind, result)
        waiting = Gauge("exotel_api_callbacks_waiting", "Callbacks that the database has not taken", registry=self.registry)
        waiting.set_function(lambda: float(len(inbox.waiting())))
