"""The figures of one server in one round, and what they are beside those of another."""

from dataclasses import dataclass

from benchmarks.load import Calls, percentile
from benchmarks.server import Server

MANY, SOME = 300, 100
WARM_S = 1.0
PACED_S = 6.0
FLAT_OUT_S = 4.0


@dataclass(frozen=True)
class Figures:
    """One server, one round. The last three tell whether the round can be trusted, not how good the server is."""

    frames_per_s: float
    """Echoes a second, 100 calls with one frame in flight each."""
    cpu_us_per_frame: float
    """CPU time of the server for one frame in and one out, 100 paced calls."""
    p99_us: float
    """Round trip, 300 paced calls."""
    kib_per_call: float
    """Memory that 300 calls add, divided by 300."""

    p50_us: float
    server_busy: float
    """Share of its core that the server used when flat out: below 0.9, something else limited it."""
    late_p99_us: float
    """How far behind its schedule the generator sent, 300 paced calls."""


async def measure(server: Server) -> Figures:
    """Put all loads on a freshly started server. Takes about 25 s. Raises LoadError when it breaks a call."""
    async with Calls(server.url, 1) as calls:
        await calls.paced(WARM_S)  # what the first call of a process costs is not the cost of a call
    idle_kib = server.memory_kib()

    async with Calls(server.url, MANY) as calls:
        await calls.paced(WARM_S)
        await calls.settle()
        many = await calls.paced(PACED_S)
        kib_per_call = (server.memory_kib() - idle_kib) / MANY
        await calls.settle()

    async with Calls(server.url, SOME) as calls:
        await calls.paced(WARM_S)
        await calls.settle()
        before = server.cpu_us()
        some = await calls.paced(PACED_S)
        cpu_us_per_frame = (server.cpu_us() - before) / some.frames
        await calls.settle()
        before = server.cpu_us()
        flat_out = await calls.flat_out(FLAT_OUT_S)
        server_busy = (server.cpu_us() - before) / 1e6 / flat_out.seconds
        await calls.settle()

    return Figures(
        frames_per_s=flat_out.frames / flat_out.seconds,
        cpu_us_per_frame=cpu_us_per_frame,
        p99_us=percentile(many.round_trip_us, 99),
        kib_per_call=kib_per_call,
        p50_us=percentile(many.round_trip_us, 50),
        server_busy=server_busy,
        late_p99_us=percentile(many.late_us, 99),
    )
