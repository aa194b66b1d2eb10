"""The companion as a process: what Exotel asks over HTTP, and who else asks."""

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import psutil
import pytest
from exotel_api.callbacks.fields import MOST_BODY
from exotel_api.callbacks.inbox import Callback
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from .process import eventually, toml

SECRET = "a-secret-of-the-path"
SID = "8b0de6af53bcfdd29e5cb990936df94r"
FORM = "application/x-www-form-urlencoded"


class Companion:
    """Process of `exotel-api serve` on a socket that it gets as systemd passes one."""

    def __init__(self, folder: Path, **chosen: object) -> None:
        self.inbox = folder / "inbox"
        (folder / "credentials").mkdir()
        (folder / "credentials/callback-secrets").write_text(f"{SECRET}\n")
        (folder / "settings.toml").write_text(toml({"inbox": str(self.inbox), "log": {"format": "json"}, **chosen}))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.log_file = folder / "log"
        serve = [sys.executable, "-m", "exotel_api", "serve", "--settings", str(folder / "settings.toml")]
        shell = f'exec 3<&{self._listener.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                ["env", f"CREDENTIALS_DIRECTORY={folder / 'credentials'}", "bash", "-c", shell, "bash", *serve],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[self._listener.fileno()],
            )

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str, bytes]:
        """Return status, media type and body of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers.get_content_type(), answer.read()
        finally:
            connection.close()

    def kept(self) -> list[Callback]:
        return [msgspec.json.decode(file.read_bytes(), type=Callback) for file in sorted(self.inbox.glob("[0-9]*.json"))]

    def metric(self, name: str) -> float:
        text = self.ask("GET", "/metrics")[2].decode()
        return float(next(line for line in text.splitlines() if line.startswith(name)).rpartition(" ")[2])

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self._listener.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def companion(folder: Path) -> Iterator[Companion]:
    made = Companion(folder)
    try:
        yield made
    finally:
        made.end()


def problem(answer: tuple[int, str, bytes]) -> dict[str, object]:
    status, kind, body = answer
    told: dict[str, object] = json.loads(body)
    assert (kind, told["type"], told["status"]) == ("application/problem+json", "about:blank", status)
    return told


def test_a_failed_stream_takes_the_second_way_and_is_kept(companion: Companion) -> None:
    told = {"CallSid": SID, "From": "+919876543210", "Stream[Status]": "failed", "Stream[StreamUrl]": "wss://k:geheim@h/geheim"}
    assert companion.ask("GET", f"/exotel/passthru/{SECRET}?{urlencode(told)}")[0] == 302
    told["Stream[Status]"] = "completed"
    assert companion.ask("POST", f"/exotel/passthru/{SECRET}", urlencode(told).encode(), Content_Type=FORM)[0] == 200
    assert companion.ask("POST", f"/exotel/passthru/{SECRET}", json.dumps({"CallSid": SID}).encode())[0] == 200
    kept = eventually(lambda: len(companion.kept()) == 3 and companion.kept(), "three callbacks on disk")
    assert [(one.kind, one.remote, one.values["CallSid"]) for one in kept] == [("passthru", "127.0.0.1", SID)] * 3
    assert kept[0].values["Stream.StreamUrl"] == "wss://h"
    lines = [json.loads(line) for line in companion.log_file.read_text().splitlines()]
    assert [line["code"] for line in lines if line.get("event") == "callback"] == ["302", "200", "200"]
    assert "9876543210" not in companion.log_file.read_text()
    assert "geheim" not in companion.log_file.read_text()


def test_a_status_is_on_the_disk_once_it_is_answered(companion: Companion) -> None:
    form = urlencode({"CallSid": SID, "Status": "busy"}).encode()
    assert companion.ask("POST", f"/exotel/status/{SECRET}", form, Content_Type=FORM)[0] == 200
    assert [(one.kind, one.values) for one in companion.kept()] == [("status", {"CallSid": SID, "Status": "busy"})]
    assert companion.metric('exotel_api_callbacks_total{kind="status",result="kept"}') == 1
    assert companion.metric("exotel_api_callbacks_waiting") == 1


@pytest.mark.parametrize("path", ["/exotel/passthru/wrong-secret-of-a-path", "/exotel/status/x", "/exotel/status/", "/nothing"])
def test_who_has_no_secret_gets_a_problem_and_leaves_nothing(companion: Companion, path: str) -> None:
    assert problem(companion.ask("POST", path, b"CallSid=1"))["title"] == "Not Found"
    assert companion.kept() == []
    assert "wrong-secret-of-a-path" not in companion.log_file.read_text()


def test_another_method_is_a_problem(companion: Companion) -> None:
    assert problem(companion.ask("DELETE", f"/exotel/status/{SECRET}"))["status"] == 405


def test_health_and_a_description_are_for_all_and_metrics_for_this_machine(companion: Companion) -> None:
    assert json.loads(companion.ask("GET", "/health")[2]) == {"status": "ok", "service": "exotel-api"}
    described = json.loads(companion.ask("GET", "/openapi.json")[2])
    assert {"/exotel/passthru/{secret}", "/exotel/status/{secret}", "/health"} <= set(described["paths"])
    assert companion.ask("GET", "/metrics")[0] == 200
    assert companion.ask("GET", "/metrics", X_Forwarded_For="203.0.113.9")[0] == 404


def test_a_body_of_a_gigabyte_is_read_no_further_than_its_bound(companion: Companion) -> None:
    eventually(lambda: companion.ask("GET", "/health")[0] == 200, "it answers")
    before = psutil.Process(companion.process.pid).memory_info().rss
    sender = socket.create_connection(("127.0.0.1", companion.port), 30)
    sender.sendall(f"POST /exotel/status/{SECRET} HTTP/1.1\r\nHost: h\r\nContent-Length: {1 << 30}\r\n\r\n".encode())
    sent = 0
    try:
        while sent < 64 * 1024 * 1024:
            sent += sender.send(b"x" * 65536)
    except OSError:
        pass  # it has answered, and closed
    sender.close()
    [one] = eventually(companion.kept, "what there was of it is kept")
    assert one.left_out
    assert len(one.values["body"]) < MOST_BODY
    assert psutil.Process(companion.process.pid).memory_info().rss - before < 32 * 1024 * 1024


def test_what_cannot_be_kept_is_told_to_exotel_and_a_waiting_caller_is_answered(folder: Path) -> None:
    companion = Companion(folder, most_waiting=1)
    try:
        assert companion.ask("POST", f"/exotel/status/{SECRET}", b"CallSid=1")[0] == 200
        assert problem(companion.ask("POST", f"/exotel/status/{SECRET}", b"CallSid=2"))["status"] == 503
        assert companion.ask("GET", f"/exotel/passthru/{SECRET}?CallSid=3&Stream[Status]=failed")[0] == 302
        eventually(lambda: companion.metric('exotel_api_callbacks_total{kind="passthru",result="lost"}') == 1, "it is counted")
        assert "is lost" in companion.log_file.read_text()
        lines = [json.loads(line) for line in companion.log_file.read_text().splitlines()]
        assert [line["code"] for line in lines if "code" in line] == ["200", "503", "302"]
        assert companion.end() == 0
    finally:
        companion.process.kill()


@pytest.mark.alone
def test_no_shape_is_answered_with_a_fault_of_ours(companion: Companion) -> None:
    @settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(
        some.sampled_from(["GET", "POST"]),
        some.sampled_from(["passthru", "status"]),
        some.binary(max_size=200).map(lambda query: urlencode({"q": query})) | some.from_regex(r"[!-~]{0,200}", fullmatch=True),
        some.binary(max_size=500),
        some.sampled_from([FORM, "application/json", "multipart/form-data; boundary=x", "text/xml; charset=utf-7", ""]),
    )
    def tried(method: str, path: str, query: str, body: bytes, kind: str) -> None:
        status, _, _ = companion.ask(method, f"/exotel/{path}/{SECRET}?{query.replace('#', '')}", body, Content_Type=kind)
        assert status in (200, 302)

    tried()


def test_without_secrets_it_does_not_start(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "exotel_api", "serve", "--port", "0"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "there is no credential callback-secrets" in done.stderr


def test_without_its_packages_it_says_so() -> None:
    code = "import sys; sys.modules['fastapi'] = None; from exotel_api.cli import main; sys.exit(main(['serve']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "the companion is not installed (fastapi): its packages are the extra api\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", 'unknown key "prot" (did you mean "port"?)'),
        ("[passthru]\nsecond_way = ['never']", "passthru.second_way[0]: Invalid enum value 'never'"),
        ("port = ", "not TOML"),
    ],
)
def test_settings_that_are_wrong_are_named(folder: Path, text: str, said: str) -> None:
    (folder / "settings.toml").write_text(text)
    check = [sys.executable, "-m", "exotel_api", "check-config", str(folder / "settings.toml")]
    done = subprocess.run(check, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
