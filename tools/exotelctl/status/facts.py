"""Hold the facts of the server on this host at one moment. Plain data: gathered in `gather`, judged in `judge`."""

import dataclasses
from collections.abc import Mapping

from exotel_phone.text import short_instance

from exotelctl.audit import Action
from exotelctl.port.plan import PortPlan


@dataclasses.dataclass(frozen=True, slots=True)
class Unit:
    """A unit as systemd tells of it: ``active`` is its ActiveState, ``result`` how it last ended, ``pid`` 0 without a process.

    ``age_s`` is how long it has been in this state (None: never in another), ``restarts`` how often systemd started it again.
    """

    name: str
    active: str
    sub: str = ""
    result: str = "success"
    pid: int = 0
    age_s: float | None = None
    restarts: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """A live call as its worker tells of it. Ages in seconds; ``last_event_age_s`` None where the worker does not say.

    In AI mode ``state`` is what the bot does (else ""), ``turns`` how often it understood something, ``voice_to_voice_ms`` how
    long the caller waited for the last answer (None: there was none).
    """

    call_sid: str
    stream_sid: str
    conn_id: str
    caller: str
    called: str
    age_s: float
    frames_in: int
    frames_out: int
    last_event: str
    last_event_age_s: float | None
    state: str = ""
    turns: int = 0
    voice_to_voice_ms: float | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """Answer of a worker about itself. ``unlisted`` counts live calls that did not fit into ``calls``."""

    state: str
    release: str
    calls_total: int
    connections: int
    calls: tuple[Call, ...]
    unlisted: int = 0

    @property
    def calls_live(self) -> int:
        """Return the number of live calls, listed or not."""
        return len(self.calls) + self.unlisted


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
class Generation:
    """A generation on the host: its release, how many workers it has, since when it serves (Unix seconds, None: never)."""

    name: str
    release: str
    workers: int
    served: float | None


@dataclasses.dataclass(frozen=True, slots=True)
class Facts:
    """Everything the verdict rests on.

    ``current`` is the generation that is to serve ("": nothing is deployed), ``socket`` the unit that holds the port (None: there
    is none), ``holders`` who really does. ``unseen`` names what this user could not see; ``lacks`` are
    capabilities that root has not here. ``maintenance`` says
    since when the host is out of service on purpose ("": it is not), ``enabled`` the units that start at boot (None: unknown),
    ``moved`` since when the port that callers may still dial is refused ("": it has not moved lately).
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
