"""The benchmark of the edge: its flood, what it makes of the calls' tallies, and the goals that it names as missed."""

import dataclasses
import json
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from exotel_phone.load.tally import Tally

from benchmarks.edge import calls, challenges, newcomers, paced, report, scene
from benchmarks.edge.hello import client_hello
from benchmarks.edge.network import EDGE, inside

SOURCE = Path(calls.__file__).with_name("hellos.c")
CALLS = calls.Report(0.4, 1.0, 0.5, 2.0, 9.0, 0.5, frames=150_000, lost=0, perfect=100, placed=100, notes=[])
LET_IN = newcomers.Report(admitted=20, first_s=0.5, last_s=3.5, slowest_s=0.1)
GOOD = report.Seen(
    *("slowloris", "3.0"),
    *(CALLS, LET_IN, LET_IN, LET_IN),
    *(report.Memory(20, 30), report.Memory(40, 41), 0.5),
    *({"tried": 1496.0}, 1500.0),
)


@pytest.fixture(scope="module")
def hellos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    program = tmp_path_factory.mktemp("hellos") / "hellos"
    subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(SOURCE)], check=True, timeout=60)
    return program


def flood(program: Path, *words: object, message: bytes = b"") -> "subprocess.CompletedProcess[str]":
    command = [str(program), *map(str, words)]
    return subprocess.run(command, input=message.decode(), capture_output=True, check=False, text=True, timeout=30)


def answering(listener: socket.socket, heard: list[tuple[str, bytes]], *, answer: bytes) -> None:
    """Take each connection, note who it is and what it says, and answer, until the listener is shut down."""
    while True:
        try:
            connection, (source, _) = listener.accept()
        except OSError:
            return
        with connection:
            heard.append((source, connection.recv(100)))
            connection.sendall(answer)


@pytest.mark.parametrize(("answer", "outcome"), [(b"a", "answered"), (b"", "closed")])
def test_the_flood_comes_from_many_sources_and_counts_what_became_of_it(hellos: Path, answer: bytes, outcome: str) -> None:
    heard: list[tuple[str, bytes]] = []
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        thread = threading.Thread(target=answering, args=(listener, heard), kwargs={"answer": answer})
        thread.start()
        done = flood(hellos, "127.0.0.1", listener.getsockname()[1], "127.0.9.1", 7, 100, 0.5, 0, message=b"hello")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    counted = json.loads(done.stdout)
    assert counted["tried"] == counted["answered"] + counted["closed"] + counted["silent"] + counted["unopened"]
    assert counted[outcome] > 0
    assert {source for source, _ in heard} == {f"127.0.9.{number}" for number in range(1, 8)}
    assert {said for _, said in heard} == {b"hello"}


@pytest.mark.parametrize("address", ["192.0.2.1", "198.20.0.1", "10.0.0.1"])
def test_the_flood_goes_to_no_network_but_our_own(hellos: Path, address: str) -> None:
    done = flood(hellos, address, 443, "127.0.0.1", 1, 1, 0.1, 0)
    assert done.returncode == 1
    assert "only loopback and addresses for benchmarks" in done.stderr


@pytest.mark.parametrize("words", [(0, 1, 1), (1, 100_000, 1), (1, 1, 3600)], ids=["sources", "rate", "seconds"])
def test_the_flood_is_bounded(hellos: Path, words: tuple[int, int, int]) -> None:
    sources, rate, seconds = words
    done = flood(hellos, "127.0.0.1", 443, "127.0.0.1", sources, rate, seconds, 0)
    assert done.returncode == 1
    assert "a number from" in done.stderr


def test_a_client_hello_is_one_record_of_a_handshake() -> None:
    hello = client_hello("198.19.0.1")
    assert hello[0] == 22
    assert hello[5] == 1
    assert int.from_bytes(hello[3:5], "big") == len(hello) - 5


def test_calls_are_judged_by_their_seconds_before_the_attack_and_during_it() -> None:
    tallies = {}
    for second, took in {2: 50.0, 6: 1.0, 12: 2.0, 13: 7.0, 22: 9.0, 23: 80.0}.items():
        tallies[second] = Tally(placed=2 if second == 2 else 0, perfect=2 if second == 23 else 0)
        tallies[second].round_trip.add(took)
        tallies[second].of("media").sent = 1
    tallies[23].of("media").lost = 3
    judged = calls.judged(tallies, attack_s=10)
    assert judged.quiet_p99_ms == pytest.approx(2.0, rel=0.02)
    assert judged.p50_ms == pytest.approx(7.0, rel=0.02)
    assert judged.most_ms == 9.0
    assert (judged.frames, judged.lost, judged.perfect, judged.placed) == (6, 3, 2, 2)


def test_each_goal_that_is_missed_is_named() -> None:
    assert GOOD.missed() == []
    bad = dataclasses.replace(
        GOOD,
        calls=dataclasses.replace(CALLS, p99_ms=20.1, lost=1, perfect=99),
        known=dataclasses.replace(LET_IN, refused=1),
        unknown=dataclasses.replace(LET_IN, admitted=19),
        challenges=dataclasses.replace(LET_IN, admitted=0, refused=20),
        attacker={"tried": 1400.0},
        haproxy=report.Memory(20, 20 + report.GOAL_HAPROXY_MB),
        server=report.Memory(40, 40 + report.GOAL_SERVER_MB),
    )
    assert len(bad.missed()) == 9
    assert "p99 20.1 ms" in bad.missed()
    assert "0 of 20 challenges answered" in bad.missed()
    assert "1400 of 1500 connections of the attacker begun" in bad.missed()


def test_the_tables_have_a_row_for_each_attack_and_ratios_within_a_round() -> None:
    missed = dataclasses.replace(GOOD, series="2.6", calls=dataclasses.replace(CALLS, lost=1))
    attacks = report.attacks_table([missed, GOOD])
    assert "| slowloris | 2.6 | missed: 1 frames lost | 0.40, 1.00 | 0.50, 2.00 | 1 of 150000 | 20 → 30 MB" in attacks
    assert "| slowloris | 3.0 | met |" in attacks
    plain = [paced.Report([10.0], 40.0, 100.0, 0.0), paced.Report([20.0], 80.0, 200.0, 0.0)]
    edge = [paced.Report([11.0, 1.0, 28.0], 120.0, 450.0, 0.0), paced.Report([20.0, 0.0, 40.0], 160.0, 500.0, 0.0)]
    table = report.costs_table({"plain": plain, "2.6": edge, "3.0": plain})
    assert "| CPU µs a frame: both | 15 | 50 | 3.50 (3.00–4.00) | 15 | 1.00 (1.00–1.00) |" in table
    assert "| CPU µs a frame: HAProxy | – | 34 | – | – | – |" in table
    assert "| Round trip µs, p99 | 150 | 475 | 3.50 (2.50–4.50) | 150 | 1.00 (1.00–1.00) |" in table


def test_a_program_runs_inside_of_its_namespace_and_ends_with_the_benchmark() -> None:
    command = inside(EDGE, "haproxy", "-W", core=0)
    assert command[-2:] == ["haproxy", "-W"]
    assert f"--net=/run/netns/{EDGE}" in command
    assert command[:3] == ["setpriv", "--pdeathsig", "TERM"]


def test_new_callers_show_the_first_key_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("exotel:one\nexotel:two\n")
    assert newcomers.with_credential("wss://198.19.0.1/?a=b", tmp_path / "keys") == "wss://exotel:one@198.19.0.1/?a=b"


def test_every_attack_has_a_title() -> None:
    assert sorted(scene.NAMES) == sorted(report.TITLES)


def test_challenges_are_counted_as_answered_or_not() -> None:
    outcomes = iter([None, OSError("timed out"), None])

    def once() -> None:
        if error := next(outcomes):
            raise error

    asked = challenges.run(once, count=3, every=0.0, seconds=30.0)
    assert (asked.admitted, asked.refused, asked.why) == (2, 1, ["OSError('timed out')"])
