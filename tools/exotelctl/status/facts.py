"""Hold the facts of the server on this host at one moment. Plain data: gathered in `gather`, judged in `judge`."""

import dataclasses
from collections.abc import Mapping

from exotel_phone.text import short_instance

from exotelctl.admin import Answer
from exotelctl.audit import Action
from exotelctl.edge.facts import Edge
from exotelctl.generations import Generation
from exotelctl.port.plan import PortPlan
from exotelctl.units import Unit


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """Usage of a worker's process: memory in bytes, ``pss`` None without root; ``cpu`` in percent of one core.

    ``over_s`` is the time over which ``cpu`` was measured.
    """

    rss: int
    pss: int | None
    cpu: float
    over_s: float


@dataclasses.dataclass(frozen=True, slots=True)
class Worker:
    """One instance of the server: its unit, and its ``answer``.

    ``fault`` is why there is none, e.g. "does not answer: timed out"; both empty: it was not asked.
    """

    instance: str
    unit: Unit
    answer: Answer | None = None
    fault: str = ""
    usage: Usage | None = None

    @property
    def generation(self) -> str:
        """Return the instance without its number."""
        return self.instance.rpartition("-")[0]

    @property
    def short(self) -> str:
        """Return the instance without the date in its name."""
        return short_instance(self.instance)


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """Everything the verdict rests on.

    ``current`` is the generation that is to serve ("": nothing is deployed), ``socket`` the unit that holds the port (None: there
    is none), ``holders`` who really does. ``unseen`` names what this user could not see; ``lacks`` are
    capabilities that root has not here. ``maintenance`` says
    since when the host is out of service on purpose ("": it is not), ``enabled`` the units that start at boot (None: unknown),
    ``moved`` since when the port that callers may still dial is refused ("": it has not moved lately),
    ``edge`` is that of the host, of which only the unit is looked at.
    """

    host: str
    at: float
    current: str
    generations: Mapping[str, Generation]
    socket: Unit | None
    workers: tuple[Worker, ...]
    port: int
    holders: PortPlan
    deploy: Action | None
    unseen: tuple[str, ...] = ()
    as_root: bool = False
    lacks: tuple[str, ...] = ()
    maintenance: str = ""
    enabled: frozenset[str] | None = None
    moved: str = ""
    edge: Edge = dataclasses.field(default_factory=Edge)
