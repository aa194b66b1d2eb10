"""Hold what a reset must know of the host. Plain data: gathered in `gather`, judged in `plan`."""

import dataclasses

from ansible_collections.exotel.voicebot.plugins.module_utils.generation import Generation
from ansible_collections.exotel.voicebot.plugins.module_utils.paths import generation_of

from exotelctl.port.plan import Decision


@dataclasses.dataclass(frozen=True, slots=True)
class Worker:
    """An instance that runs, starts or drains (``state`` is its ActiveState) and its live calls.

    ``answers`` False: it does not say, so ``calls`` are the connections that the kernel knows of.
    """

    name: str
    state: str
    calls: int
    answers: bool = True

    @property
    def generation(self) -> str:
        """Return its generation."""
        return generation_of(self.name)


@dataclasses.dataclass(frozen=True, slots=True)
class Port:
    """A port to be cleared: the strangers on it that may be ended, and what may not be (``hindrances``, a sentence each)."""

    number: int
    strangers: tuple[Decision, ...] = ()
    hindrances: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """``serving`` is the current generation, whether it runs or not; ``failed`` are the failed units of ours."""

    serving: Generation
    socket_live: bool
    workers: tuple[Worker, ...]
    failed: tuple[str, ...]
    ports: tuple[Port, ...]

    @property
    def calls(self) -> int:
        """Return the live calls of all generations."""
        return sum(worker.calls for worker in self.workers)

    @property
    def strangers(self) -> tuple[Decision, ...]:
        """Return the processes on one of the ports that are not ours and may be ended."""
        return tuple(stranger for port in self.ports for stranger in port.strangers)
