"""During a stranger's flood a live call goes on, another source is let in, and memory and log stay small."""

import asyncio
from collections.abc import Callable

import pytest

from benchmarks.attacks.attacker import ATTACKS, Report
from benchmarks.attacks.processes import Scene, attacked

from . import wire
from .conftest import StartServer
from .phone import Phone
from .process import ServerProcess

pytestmark = pytest.mark.alone

SECONDS = 5.0
FRAMES = 250
MOST_MEMORY = 64 * 1024 * 1024
MOST_LOG = 150_000

# Fate of the attacker: its connections are ended, or it may ask and is answered, or it is not let in.
ENDS: dict[str, Callable[[Report], bool]] = {
    "tiny-10": lambda report: report.ended + report.refused >= 10,
    "tiny-40": lambda report: report.ended + report.refused >= 40,
    "metrics": lambda report: report.tried >= 300,
    "long-paths": lambda report: report.tried >= 20,
    "no-start": lambda report: report.ended + report.refused >= 1000,
    "marks": lambda report: report.ended + report.refused >= 4,
    "files": lambda report: report.ended + report.refused >= 1000,
    "short": lambda report: report.tried >= 50,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_call_goes_on_and_others_are_let_in(start_server: StartServer, attack: str) -> None:
    files = {"hard_files": 1024} if attack == "files" else {}
    # As the product ships; other tests look more often, and log everything.
    server = start_server(
        {"limits": {"metrics_interval_s": 1.0}, "log": {"stranger_lines_s": 1.0, "stranger_burst": 1000}}, **files
    )
    before = server.memory()

    async def call(scene: Scene) -> int:
        async with Phone(server.url()) as phone:
            await phone.open("live")
            # The call must have its place before the attack: it is there before its first frame comes back.
            frames = wire.audio(FRAMES)
            assert await phone.converse(frames, "live", 0.02) == frames
            most = server.memory()
            report, newcomer = await asyncio.to_thread(scene.reports)
            assert ENDS[attack](report), report
            assert newcomer.admitted == newcomer.tried > 0, newcomer
            await phone.in_order()
            return most

    with attacked(attack, server.port, SECONDS) as scene:
        most = asyncio.run(call(scene))
    assert most - before < MOST_MEMORY
    _is_well(server)


def _is_well(server: ServerProcess) -> None:
    assert server.fetch("/health")[0] == 200
    assert "Traceback" not in server.log()
    assert len(server.log()) < MOST_LOG
