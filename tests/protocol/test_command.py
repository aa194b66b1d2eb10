"""The command `exotel-ws`: its words when it cannot do its work."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "exotel_ws", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment or None)


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, "exotel-ws 0.1.0\n")


@pytest.mark.parametrize("arguments", [[], ["serv"], ["serve", "--mode", "ecco"], ["serve", "--port", "http"], ["check-config"]])
def test_usage(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert "usage: exotel-ws" in done.stderr


def test_the_port_is_taken() -> None:
    """For a taken port one line names the port, the reason, and the command that shows its holder."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--host", "127.0.0.1", "--port", str(port))
    expected = (
        f"can't listen on 127.0.0.1:{port}: Address already in use; who holds it: exotelctl port-clean --port {port} --dry-run"
    )
    assert (done.returncode, done.stderr) == (1, f"exotel-ws: {expected}\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "198.51.100.1"], "can't listen on 198.51.100.1:8765"),
        (["--host", "no.such.host.invalid"], "set 'host' to an address of this machine"),
        (["--port", "99999"], "port"),
        (["--settings", "/nowhere/settings.toml"], "/nowhere/settings.toml: can't be read"),
        (["--port", "0", "--admin-socket", "/nowhere/a.sock"], "admin socket /nowhere/a.sock"),
    ],
)
def test_serve_says_what_is_wrong(arguments: list[str], words: str) -> None:
    done = run("serve", *arguments)
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.count("\n") == 1, "one line, no traceback"


def test_credentials_that_are_not_there(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('[auth]\nrequired = true\ncredential = "missing"\n')
    done = run("serve", "--port", "0", "--settings", str(settings), CREDENTIALS_DIRECTORY=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith(f"auth.credential: {tmp_path}/missing can't be read")
    assert done.stderr.count("\n") == 1


def test_check_config(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('mode = "echo"\nport = 8765\n[limits]\nmax_calls = 100\n')
    done = run("check-config", str(settings))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{settings}: ok\n", "")


def test_check_config_says_that_another_mode_does_not_use_ai(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('[ai]\nllm = ["ollama"]\n')
    done = run("check-config", str(settings))
    assert done.returncode == 0
    assert done.stdout.startswith(f'{settings}: ok; mode is "echo", so [ai] is not used: add mode = "ai"')


def test_check_config_names_every_unknown_key(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("prot = 8765\n[limits]\nmax_cals = 5\n[logs]\nlevel = 1\n")
    done = run("check-config", str(settings))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f'{settings}: unknown key "prot" (did you mean "port"?)',
        f'{settings}: limits: unknown key "max_cals" (did you mean "max_calls"?)',
        f'{settings}: unknown key "logs" (did you mean "log"?)',
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = ", "not TOML"),
        ("port = 70000", "port: Expected `int` <= 65535"),
        ('mode = "ecco"', "mode: Invalid enum value 'ecco'"),
        ("[limits]\nmax_calls = 0", "limits.max_calls: Expected `int` >= 1"),
        ('[ping]\ninterval_s = "often"', "ping.interval_s: Expected `float`"),
        ("limits = 5", "limits: Expected `object`"),
    ],
)
def test_check_config_says_where_and_what(tmp_path: Path, text: str, words: str) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(text)
    done = run("check-config", str(settings))
    assert done.returncode == 1
    assert done.stderr.startswith(f"{settings}: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("engine", ["picows", "websockets"])
def test_self_test(tmp_path: Path, engine: str) -> None:
    """The self-test ignores the host's credentials, proxies, paths and port in the settings: a release is tried without them."""
    settings = tmp_path / "settings.toml"
    proxies = 'proxy_protocol = true\n[limits]\nproxies = ["127.0.0.1"]'
    settings.write_text(f'engine = "{engine}"\npaths = ["/x"]\nport = 1\n{proxies}\n[auth]\nrequired = true\n')
    done = run("self-test", "--settings", str(settings))
    assert (done.returncode, done.stderr) == (0, "")
    assert "self-test passed" in done.stdout


def test_serve_without_settings_is_the_echo_server() -> None:
    """Without a settings file, by the guide's flags only, ``serve`` is the echo server."""
    command = [sys.executable, "-m", "exotel_ws", "serve", "--mode", "echo", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        assert server.stderr.readline() == "✅ Exotel Passthrough Echo Server running!\n"
        server.terminate()
        assert server.wait(10) == 0


FLOW = "greeting: Hello.\nfallback: [Pardon.]\nintents:\n  hours:\n    examples: [when are you open]\n    say: At nine.\n"


def test_check_flow(tmp_path: Path) -> None:
    flow = tmp_path / "flow.yml"
    flow.write_text(FLOW)
    done = run("check-flow", str(flow))
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{flow}: ok, intents: hours\n", "")
    flow.write_text(FLOW.replace("examples", "exampels"))
    done = run("check-flow", str(flow))
    assert done.returncode == 1
    assert str(flow) in done.stderr
    assert "exampels" in done.stderr


def test_check_config_looks_into_the_flow_that_is_beside_it(tmp_path: Path) -> None:
    (tmp_path / "flow.yml").write_text(FLOW)
    settings = tmp_path / "settings.toml"
    settings.write_text('mode = "ai"\n[ai]\nflow = "flow.yml"\n')
    assert run("check-config", str(settings)).returncode == 0
    (tmp_path / "flow.yml").write_text(FLOW.replace("say", "sya"))
    done = run("check-config", str(settings))
    assert done.returncode == 1
    assert done.stderr.startswith("ai.flow: ")
