"""``exotelctl load`` as a command, against the real server and against one broken in a single way."""

import asyncio
import contextlib
import dataclasses
import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.protocol.process import ServerProcess, eventually

from .echo_server import EchoServer, Message, Reply, Stream, running

LIMIT_S = 90


def start(url: str, *options: str, **how: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "exotelctl", "load", url, *options]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)


def load(url: str, *options: str) -> tuple[int, dict[str, Any]]:
    """Run a load and return its exit code and JSON."""
    with start(url, "--json", *options) as it:
        out, errors = it.communicate(timeout=LIMIT_S)
    assert out, errors
    return it.returncode, json.loads(out)


def unless_slow(verdict: str, found: dict[str, Any]) -> bool:
    """Return whether the verdict is ``verdict``, or this machine was too busy; the counts have to be right either way."""
    return found["verdict"] in (verdict, "unfit")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    it = ServerProcess(tmp_path / "server", {"limits": {"max_calls": 20}})
    try:
        yield it.start()
    finally:
        it.kill()


@contextmanager
def broken(how: Callable[[Stream, Message, list[Reply]], list[Reply]] | None) -> Iterator[EchoServer]:
    """Run an echo server with a fault, in a thread with its own loop."""
    ready: list[EchoServer] = []
    begun = threading.Event()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def main() -> None:
        async with running(how) as server:
            ready.append(server)
            begun.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    try:
        assert begun.wait(10)
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()


def test_a_good_server_is_perfect(server: ServerProcess, tmp_path: Path) -> None:
    report = tmp_path / "out.html"
    code, found = load(server.url(), "--calls", "20", "--ramp", "1", "--seconds", "3", "--report", str(report))
    assert unless_slow("perfect", found), found
    assert code == (0 if found["verdict"] == "perfect" else 1)
    assert found["ok"] == (code == 0)
    calls, media = found["calls"], found["messages"]["media"]
    assert calls == {"placed": 20, "perfect": 20, "faulty": 0, "dropped": {}, "refused": {}}
    # 20 calls of 2 to 3 s. The first frame of each is due when 20 ms of audio are there.
    assert 20 * 100 <= media["sent"] <= 20 * 150
    assert (media["echoed"], media["lost"], media["unexpected"]) == (media["sent"], 0, 0)
    assert {kind: counts["sent"] for kind, counts in found["messages"].items() if kind != "media"} == {
        "connected": 20,
        "start": 20,
        "stop": 20,
    }
    assert 0 < found["round_trip_ms"]["p50"] <= found["round_trip_ms"]["p99"] <= found["round_trip_ms"]["max"]
    assert found["seconds"][2]["live"] == 20
    assert report.read_text().count("<svg") == 3
    assert found["report"] == str(report)
    # The server agrees: every call stopped as Exotel stops one.
    assert server.metric('frames_total{direction="in"}') == media["sent"]
    eventually(lambda: server.metric("calls_live") == 0, "no call is left")


def test_calls_are_replaced(server: ServerProcess) -> None:
    _, found = load(server.url(), "--calls", "4", "--ramp", "0.4", "--seconds", "2.4", "--hold", "0.6")
    assert 12 <= found["calls"]["placed"] <= 16
    assert found["calls"]["perfect"] == found["calls"]["placed"]
    assert max(row["live"] for row in found["seconds"]) <= 4


def test_several_processes_add_up(server: ServerProcess) -> None:
    """Several processes add up: two with 8 calls each report as one with 16."""
    from exotel_phone.load import verb
    from exotel_phone.load.plan import plan
    from exotel_phone.options import LoadOptions
    from exotel_phone.target import parse

    options = LoadOptions(url="", calls=16, ramp=0, seconds=1.5)
    the_plan = dataclasses.replace(plan(parse(server.url()), options, cores=1), processes=2)
    result = verb.carry_out(the_plan, quiet=True)
    assert (result.tally.placed, result.tally.perfect) == (16, 16)
    assert max(row.live for row in result.rows) == 16


def test_every_process_keeps_to_the_address_that_was_checked(server: ServerProcess) -> None:
    from exotel_phone.load import verb
    from exotel_phone.load.plan import plan
    from exotel_phone.options import LoadOptions
    from exotel_phone.target import parse

    target = dataclasses.replace(parse(f"ws://calls.invalid:{server.port}"), addresses=("127.0.0.1",))
    the_plan = dataclasses.replace(plan(target, LoadOptions(url="", calls=2, ramp=0, seconds=0.6), cores=1), processes=2)
    assert verb.carry_out(the_plan, quiet=True).tally.perfect == 2


def test_a_full_server_is_reported(server: ServerProcess) -> None:
    code, found = load(server.url(), "--calls", "24", "--ramp", "0.5", "--seconds", "6")
    assert code == 1
    assert found["calls"]["refused"] == {"HTTP 503": 4}
    assert found["calls"]["perfect"] == 20
    assert "refused" in [problem["kind"] for problem in found["problems"]]
    assert any("HTTP 503: 20 live calls" in example for example in found["examples"])


def test_nobody_there() -> None:
    code, found = load("ws://127.0.0.1:9", "--calls", "3", "--ramp", "0.1", "--seconds", "0.5")
    assert code == 1
    assert found["calls"]["refused"] == {"refused": 3}
    assert found["messages"] == {}


def lose(_stream: Stream, message: Message, right: list[Reply]) -> list[Reply]:
    """Never echo each tenth frame."""
    return [] if message["event"] == "media" and int(message["media"]["chunk"]) % 10 == 5 else right


def alter(_stream: Stream, message: Message, right: list[Reply]) -> list[Reply]:
    """Return each tenth frame as silence."""
    if message["event"] == "media" and int(message["media"]["chunk"]) % 10 == 5:
        assert isinstance(right[0], dict)
        right[0]["media"]["payload"] = "A" * 427 + "="
    return right


def camel(_stream: Stream, _message: Message, right: list[Reply]) -> list[Reply]:
    """Answer in camelCase, as a server of the guide's history did."""
    messages = [reply for reply in right if isinstance(reply, dict)]
    return [{"streamSid" if key == "stream_sid" else key: value for key, value in it.items()} for it in messages]


def chatter(stream: Stream, message: Message, right: list[Reply]) -> list[Reply]:
    """Send an unneeded ``clear`` at the tenth frame."""
    unasked: list[Reply] = [{"event": "clear", "stream_sid": stream.sid}]
    return right + unasked if message["event"] == "media" and message["media"]["chunk"] == "10" else right


async def _no_more(stream: Stream) -> None:
    await stream.ws.close(1011, "out of memory")


def hang_up(stream: Stream, message: Message, right: list[Reply]) -> list[Reply]:
    """Close the call at the tenth frame."""
    if message["event"] == "media" and message["media"]["chunk"] == "10":
        stream.task = asyncio.ensure_future(_no_more(stream))  # type: ignore[attr-defined]
        return []
    return right


CALLS = ("--calls", "3", "--ramp", "0.2", "--seconds", "1.5")


def test_lost_frames_are_counted() -> None:
    with broken(lose) as server:
        code, found = load(server.url, *CALLS)
    media = found["messages"]["media"]
    assert code == 1
    assert unless_slow("imperfect", found)
    assert found["calls"]["faulty"] == 3
    assert media["lost"] > 0
    assert media["echoed"] + media["lost"] == media["sent"]
    assert media["unexpected"] == 0
    assert media["sent"] // 10 - 3 <= media["lost"] <= media["sent"] // 10 + 3


def test_altered_frames_are_lost_and_unexpected() -> None:
    with broken(alter) as server:
        code, found = load(server.url, *CALLS)
    media = found["messages"]["media"]
    assert code == 1
    assert found["calls"]["faulty"] == 3
    assert media["lost"] == media["unexpected"] > 0
    assert media["echoed"] + media["lost"] == media["sent"]


@pytest.mark.parametrize(("how", "kind"), [(camel, "other"), (chatter, "clear")])
def test_unexpected_messages_are_named(how: Callable[..., list[Reply]], kind: str) -> None:
    with broken(how) as server:
        code, found = load(server.url, *CALLS)
    assert code == 1
    assert found["calls"]["faulty"] == 3
    assert found["messages"][kind]["unexpected"] >= 3
    assert found["examples"][0].startswith(f"unexpected {kind}: ")


def test_a_server_that_hangs_up_is_reported() -> None:
    with broken(hang_up) as server:
        code, found = load(server.url, *CALLS)
    assert code == 1
    assert found["calls"]["dropped"] == {"closed with 1011": 3}
    assert found["calls"]["perfect"] == 0
    assert "out of memory" in found["examples"][0]


def test_a_server_that_takes_nothing_ends_the_call_in_bounded_memory(tmp_path: Path) -> None:
    """A server that is stopped for good ends the call in bounded memory: the buffers fill up, then the call is given up."""
    it = ServerProcess(tmp_path / "server", {})
    try:
        it.start()
        with start(it.url(), "--json", "--calls", "2", "--ramp", "0", "--seconds", "30", "--rate", "24000") as running_load:
            eventually(lambda: it.metric("calls_live") == 2, "both calls are up")
            it.signal(signal.SIGSTOP)
            out, _ = running_load.communicate(timeout=LIMIT_S)
        found = json.loads(out)
        assert found["calls"]["dropped"] == {"the server takes no more audio": 2}
        assert found["messages"]["media"]["lost"] > 0
    finally:
        it.signal(signal.SIGCONT)
        it.kill()


def test_the_url_becomes_custom_parameters_as_exotel() -> None:
    with broken(None) as server:
        code, found = load(f"{server.url}/p?sample-rate=16000&token=abc", "--as-exotel", *CALLS)
    assert unless_slow("perfect", found), (code, found)
    assert {request.path for request in server.requests} == {"/p"}
    assert {request.headers["User-Agent"] for request in server.requests} == {"Go-http-client/1.1"}
    starts = [stream.received[1]["start"] for stream in server.streams]
    assert len(starts) == 3
    assert all(start["custom_parameters"] == {"sample-rate": "16000", "token": "abc"} for start in starts)
    assert all(start["media_format"]["sample_rate"] == "16000" for start in starts)
    assert len({start["call_sid"] for start in starts}) == 3
    for stream in server.streams:
        assert [message["event"] for message in stream.received][-1] == "stop"
        assert [int(message["sequence_number"]) for message in stream.received[1:]] == list(range(1, len(stream.received)))
    assert server.close_codes == [1006] * 3
    assert "abc" not in json.dumps(found)


def test_a_credential_is_sent_and_not_shown(tmp_path: Path) -> None:
    secret = tmp_path / "stream-credentials"
    secret.write_text("user:tok-e-n\n")
    settings = {"auth": {"required": True}}
    it = ServerProcess(tmp_path / "server", settings, environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    try:
        it.start()
        code, found = load(it.url(), "--credential-file", str(secret), *CALLS)
        assert found["calls"]["perfect"] == 3, (code, found)
        assert "tok-e-n" not in json.dumps(found)
        code, found = load(it.url(), *CALLS)
        assert (code, found["calls"]["perfect"]) == (1, 0)
    finally:
        it.kill()


def test_ctrl_c_ends_the_calls_and_reports(server: ServerProcess, tmp_path: Path) -> None:
    """Ctrl-C ends the calls and reports, though the terminal sends it to the generators too."""
    report = tmp_path / "out.html"
    options = ("--json", "--calls", "5", "--ramp", "0", "--seconds", "600", "--report", str(report))
    with start(server.url(), *options, start_new_session=True) as it:
        eventually(lambda: server.metric('frames_total{direction="in"}') > 100, "audio flows")
        children = psutil.Process(it.pid).children(recursive=True)
        assert children
        os.killpg(it.pid, signal.SIGINT)
        out, errors = it.communicate(timeout=LIMIT_S)
    found = json.loads(out)
    assert it.returncode == 1
    assert errors == ""
    assert "interrupted" in [problem["kind"] for problem in found["problems"]]
    assert found["calls"] == {"placed": 5, "perfect": 5, "faulty": 0, "dropped": {}, "refused": {}}
    assert found["messages"]["stop"]["sent"] == 5
    assert report.exists()
    assert not psutil.wait_procs(children, 5)[1], "a process is left"


def test_the_calls_end_where_the_command_is_killed(server: ServerProcess) -> None:
    with start(server.url(), "--calls", "5", "--ramp", "0", "--seconds", "60") as it:
        eventually(lambda: server.metric("calls_live") == 5, "the calls are up")
        children = psutil.Process(it.pid).children(recursive=True)
        it.kill()
        it.communicate(timeout=LIMIT_S)
    eventually(lambda: server.metric("calls_live") == 0, "no call is left")
    assert not psutil.wait_procs(children, 5)[1], "a process is left"


def test_lines_where_there_is_no_terminal(server: ServerProcess) -> None:
    with start(server.url(), "--calls", "2", "--ramp", "0", "--seconds", "6") as it:
        out, _ = it.communicate(timeout=LIMIT_S)
    assert out.startswith("📞 ws://127.0.0.1:")
    assert "5 s  2 of 2 calls, p99" in out
    assert "own lateness" in out
    assert "\x1b" not in out


def test_a_table_on_a_terminal(server: ServerProcess) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    command = [sys.executable, "-m", "exotelctl", "load", server.url(), "--calls", "2", "--ramp", "0", "--seconds", "2"]
    it = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env={**os.environ, "TERM": "xterm"})
    os.close(slave)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal's end of file
        while select.select([master], [], [], LIMIT_S)[0] and (piece := os.read(master, 65536)):
            shown += piece
    os.close(master)
    it.wait(LIMIT_S)
    text = shown.decode()
    assert "2 of 2 calls" in text
    assert "Ctrl-C ends the calls" in text
    assert text.rpartition("calls         placed 2, ended ")[2].startswith("perfect 2, faulty 0, dropped 0, refused 0")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["ws://203.0.113.10:8765"], 3, "--i-own-this-server"),
        (["ws://127.0.0.1:9", "--calls", "5001"], 2, "--calls 5001"),
        (["ws://127.0.0.1:9", "--report", "/nonexistent/out.html"], 2, "no directory /nonexistent"),
        (["ws://127.0.0.1:9", "--inventory", "/nonexistent/hosts.yml"], 2, "/nonexistent/hosts.yml"),
    ],
)
def test_refusals(arguments: list[str], code: int, said: str) -> None:
    with start(*arguments) as it:
        out, errors = it.communicate(timeout=LIMIT_S)
    assert it.returncode == code
    assert said in " ".join(errors.replace("│", " ").split())
    assert out == ""
