"""The small things a deploy stands on: the lock, the audit file, the admin socket, connections."""

import fcntl
import json
import os
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.exotel.voicebot.plugins.module_utils import audit, files
from ansible_collections.exotel.voicebot.plugins.module_utils.connections import established
from ansible_collections.exotel.voicebot.plugins.module_utils.instance import Silent, ask, calls_live
from ansible_collections.exotel.voicebot.plugins.module_utils.lock import Locked, deploy_lock
from ansible_collections.exotel.voicebot.plugins.module_utils.systemd import CommandFailed, run


def test_a_second_deploy_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    with (
        deploy_lock(tmp_path / "lock", "deploy by night shift"),
        pytest.raises(Locked, match="deploy by night shift, since 2"),
        deploy_lock(tmp_path / "lock", "deploy by me"),
    ):
        pass


def test_the_lock_is_free_again_even_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(KeyError), deploy_lock(tmp_path / "lock", "one"):
        raise KeyError
    with deploy_lock(tmp_path / "lock", "two"):
        assert (tmp_path / "lock").read_text().startswith("two, since")


def test_nobody_but_the_owner_can_open_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "place/lock"
    path.parent.mkdir(mode=0o755)
    path.touch(mode=0o644)
    with deploy_lock(path, "one"):
        assert [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent)] == [0o600, 0o700]


@pytest.mark.parametrize("planted", ["link", "fifo", "directory"])
def test_what_is_no_file_is_not_taken_for_the_lock(tmp_path: Path, planted: str) -> None:
    path, other = tmp_path / "lock", tmp_path / "other"
    other.write_text("kept")
    ways: dict[str, Callable[[], None]] = {
        "link": lambda: path.symlink_to(other),
        "fifo": lambda: os.mkfifo(path),
        "directory": lambda: path.mkdir(),
    }
    ways[planted]()
    with pytest.raises(OSError, match="lock"), deploy_lock(path, "one"):
        pass
    assert other.read_text() == "kept"


def test_the_text_of_a_holder_is_one_short_line_that_a_terminal_can_show(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("night \x1b]0;owned\x07shift\r\n\u202egnp" + 5000 * "x")
        file.flush()
        with pytest.raises(Locked) as refusal, deploy_lock(path, "two"):
            pass
    said = str(refusal.value)
    assert said.isprintable()
    assert "night ?]0;owned?shift ?gnp" in said
    assert len(said) < 500


def test_a_holder_that_hangs_is_named_by_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with (
        deploy_lock(path, "one"),
        pytest.raises(Locked, match=f"ps -o pid,etime,args -p {os.getpid()}"),
        deploy_lock(path, "two"),
    ):
        pass


def test_the_audit_file_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "audit").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="audit"):
        audit.record(tmp_path / "audit", who="a")
    assert not (tmp_path / "other").exists()


def test_the_audit_file_grows_by_a_line_an_action(tmp_path: Path) -> None:
    path = tmp_path / "deep/audit.jsonl"
    audit.record(path, who="a", outcome="done")
    audit.record(path, who="b", outcome="failed: two\nlines")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["who"], line["outcome"]) for line in lines] == [("a", "done"), ("b", "failed: two\nlines")]
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_is_replaced_whole_and_with_its_mode(tmp_path: Path) -> None:
    files.write(tmp_path / "f", "one", 0o600)
    files.write(tmp_path / "f", "two", 0o644)
    assert (tmp_path / "f").read_text() == "two"
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["f"]


def test_a_link_is_replaced(tmp_path: Path) -> None:
    files.link(tmp_path / "current", "one")
    files.link(tmp_path / "current", "generations/two")
    assert files.linked_name(tmp_path / "current") == "two"
    assert files.linked_name(tmp_path / "missing") is None


@contextmanager
def admin_socket(path: Path, *answers: bytes) -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join(5)


def http(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def test_an_instance_answers(tmp_path: Path) -> None:
    with admin_socket(tmp_path / "s", http("200 OK", '{"calls_live": 3}')):
        assert ask(tmp_path / "s", "/status") == {"calls_live": 3}


def test_an_instance_says_who_it_is_by_its_health(tmp_path: Path) -> None:
    with admin_socket(tmp_path / "s", http("200 OK", '{"status": "ok", "generation": "g", "calls_live": 3}')):
        assert calls_live(tmp_path / "s") == 3


def test_an_instance_of_an_older_release_says_it_by_its_status(tmp_path: Path) -> None:
    answers = http("200 OK", '{"status": "ok"}'), http("200 OK", '{"generation": "g", "calls_live": 3}')
    with admin_socket(tmp_path / "s", *answers):
        assert calls_live(tmp_path / "s") == 3


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (http("503 Service Unavailable", '{"status":"sick"}'), 'GET /health on .* answers 503 to /health: {"status":"sick"}'),
        (http("200 OK", "hello"), "GET /health on"),
        (http("200 OK", "[]"), "answers no JSON object"),
        (b"what?", "GET /health on"),
        (b"", "GET /health on"),
    ],
)
def test_an_instance_that_gives_no_usable_answer(tmp_path: Path, answer: bytes, complaint: str) -> None:
    with admin_socket(tmp_path / "s", answer), pytest.raises(Silent, match=complaint):
        ask(tmp_path / "s", "/health")


def test_an_instance_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Silent, match="No such file"):
        ask(tmp_path / "s", "/health")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_are_counted_by_port_and_process(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        port = listener.getsockname()[1]
        assert established(os.getpid(), port) == 0
        with socket.create_connection((host, port)), listener.accept()[0]:
            assert established(os.getpid(), port) == 1
            assert established(os.getppid(), port) == 0
        assert established(0, port) == 0


def test_a_command_that_fails_or_hangs_is_told_with_its_words() -> None:
    with pytest.raises(CommandFailed, match=r"(?s)ended with 3: out.*err"):
        run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    with pytest.raises(CommandFailed, match=r"was not done after 0.2 s. begun"):
        run(["sh", "-c", "echo begun; exec sleep 5"], timeout_s=0.2)
    with pytest.raises(CommandFailed, match=r"cannot be run"):
        run(["/nowhere/command"])


def test_a_command_sees_nothing_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "x")
    assert "SECRET" not in run(["env"])
