"""Files that HAProxy loads at its start alone are remembered, and what it knows of the server outlives a reload."""

import importlib.util
import socket
import threading
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).parents[3] / "roles/edge/files/loading"


@pytest.fixture
def loading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the program, with its directories below ``tmp_path``: a configuration, a list of keys, no HAProxy."""
    loader = SourceFileLoader("loading", str(PROGRAM))
    spec = importlib.util.spec_from_loader("loading", loader)
    assert spec
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader.exec_module(module)
    for name, path in (("CONFIG", tmp_path / "etc"), ("RUN", tmp_path / "run"), ("ADMIN", str(tmp_path / "admin.sock"))):
        monkeypatch.setattr(module, name, path)
    (tmp_path / "etc/keys").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    (tmp_path / "etc/haproxy.cfg").write_text("global\n")
    (tmp_path / "etc/keys/tokens.lst").write_text("dG9rZW4=\n")
    return module


def test_what_was_noted_is_the_same_until_a_file_changes(loading: ModuleType, tmp_path: Path) -> None:
    assert loading.main(["same"]) == 1  # nothing was noted
    assert loading.main(["note"]) == 0
    assert loading.main(["same"]) == 0
    (tmp_path / "etc/certificate.pem").write_text("swapped while it runs\n")
    assert loading.main(["same"]) == 0
    (tmp_path / "etc/keys/tokens.lst").write_text("")
    assert loading.main(["same"]) == 1
    assert loading.main(["note"]) == 0
    (tmp_path / "etc/haproxy.cfg").write_text("defaults\n")
    assert loading.main(["same"]) == 1


def test_the_states_of_the_servers_are_kept_for_root_alone(loading: ModuleType, tmp_path: Path) -> None:
    states = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_port\n3 voice 1 voice 127.0.0.1 2 8765"
    (tmp_path / "etc/haproxy.cfg").write_text("backend voice\n    server voice 127.0.0.1:8765 check\n")
    with socket.socket(socket.AF_UNIX) as haproxy:
        haproxy.bind(loading.ADMIN)
        haproxy.listen()

        def answer() -> None:
            line, _ = haproxy.accept()
            with line:
                assert line.recv(100) == b"show servers state\n"
                line.sendall(states.encode() + b"\n\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert loading.main(["note"]) == 0
        thread.join()
    kept = tmp_path / "run/servers"
    assert kept.read_text() == states + "\n"
    files = [file for file in (tmp_path / "run").iterdir() if not file.is_symlink()]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert {file.name for file in files} == {"servers", "loaded"}


@pytest.mark.parametrize(("port", "kept"), [(8765, True), (9000, False), (876, False)])
def test_a_server_that_moved_is_not_looked_for_where_it_was(loading: ModuleType, port: int, kept: bool) -> None:
    """A server that moved is not looked for where it was: HAProxy takes addresses of the states, not of its configuration."""
    head = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_port"
    row = "3 voice 1 voice 127.0.0.1 2 8765"
    config = f"backend voice\n    server voice 127.0.0.1:{port} check\n"
    assert loading.still_there(f"{head}\n{row}", config) == (f"{head}\n{row}" if kept else head)


def test_a_path_leads_to_the_same_file_for_a_worker_whose_root_the_directory_is(loading: ModuleType, tmp_path: Path) -> None:
    run = tmp_path / "run"
    for _ in range(2):
        assert loading.main(["note"]) == 0
        assert (run / run.relative_to("/") / "loaded").samefile(run / "loaded")


def test_without_a_haproxy_there_are_no_states(loading: ModuleType, tmp_path: Path) -> None:
    assert loading.main(["note"]) == 0
    assert (tmp_path / "run/servers").read_text() == "1\n"


def test_another_verb_is_refused(loading: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert loading.main([]) == 2
    assert "loading note" in capsys.readouterr().err
