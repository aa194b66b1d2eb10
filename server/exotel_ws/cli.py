"""The command `exotel-ws`."""

import argparse
import sys
from pathlib import Path
from typing import Any, get_args

import msgspec

from exotel_ws import __version__, logs, modes, settings
from exotel_ws.settings import Settings, SettingsError


def main(argv: list[str] | None = None) -> int:
    """Run the command; return its exit code: 0 done, 1 a problem was found and reported, 2 usage."""
    arguments = _parser().parse_args(argv)
    try:
        exit_code: int = arguments.verb(arguments)
    except SettingsError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"exotel-ws: {error}", file=sys.stderr)
        return 1
    return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="exotel-ws", description="A WebSocket server for Exotel's Voicebot applet.")
    parser.add_argument("--version", action="version", version=f"exotel-ws {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    serve = verbs.add_parser(
        "serve",
        help="serve calls in the foreground",
        description="Serve calls in the foreground. Example: exotel-ws serve --mode echo --host 127.0.0.1 --port 8765",
    )
    serve.set_defaults(verb=_serve)
    serve.add_argument("--settings", type=Path, metavar="FILE", help="settings in TOML; the options below override it")
    serve.add_argument("--mode", choices=get_args(settings.ModeName))
    serve.add_argument("--host", help="address to listen on")
    serve.add_argument("--port", type=int, help="TCP port to listen on (0: any free one)")
    serve.add_argument("--engine", choices=get_args(settings.EngineName), help="WebSocket engine")
    serve.add_argument("--log-format", choices=get_args(settings.LogFormat))
    serve.add_argument("--instance", default="foreground", help="name of this worker, <generation>-<n>")
    serve.add_argument("--admin-socket", type=Path, metavar="PATH", help="UNIX socket for /health and /status")
    serve.add_argument("--metrics-dir", type=Path, metavar="DIR", help="directory that the workers of a host share")
    serve.add_argument("--key-usage", type=Path, metavar="FILE", help="file in which they record the use of each credential")

    check = verbs.add_parser("check-config", help="check a settings file and say what is wrong with it")
    check.set_defaults(verb=_check_config)
    check.add_argument("file", type=Path)

    flow = verbs.add_parser("check-flow", help="check the file of a scripted flow and say what is wrong with it")
    flow.set_defaults(verb=_check_flow)
    flow.add_argument("file", type=Path)

    test = verbs.add_parser("self-test", help="start this release on a free loopback port and make a call to it")
    test.set_defaults(verb=_self_test)
    test.add_argument("--settings", type=Path, metavar="FILE")
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    from exotel_ws.serve import serve

    chosen = _load(arguments.settings)
    given: dict[str, Any] = {key: vars(arguments)[key] for key in ("mode", "host", "port", "engine")}
    raw = msgspec.to_builtins(chosen) | {key: value for key, value in given.items() if value is not None}
    if arguments.log_format:
        raw["log"]["format"] = arguments.log_format
    chosen = settings.check(raw)
    logs.configure(chosen.log)
    return serve(
        chosen,
        instance=arguments.instance,
        admin_socket=arguments.admin_socket,
        metrics_dir=arguments.metrics_dir,
        key_usage=arguments.key_usage,
    )


def _check_config(arguments: argparse.Namespace) -> int:
    chosen = settings.load(arguments.file)
    unread = modes.check(chosen)
    notes = [f"not looked for, outside a unit of systemd: {', '.join(unread)}"] if unread else []
    if chosen.ai and chosen.mode != "ai":
        notes.append(f'mode is "{chosen.mode}", so [ai] is not used: add mode = "ai" above all tables to check and use it')
    print("; ".join([f"{arguments.file}: ok", *notes]))
    return 0


def _check_flow(arguments: argparse.Namespace) -> int:
    print(modes.find("ai").check_flow(arguments.file))
    return 0


def _self_test(arguments: argparse.Namespace) -> int:
    from exotel_ws.modespec import SelfTestError
    from exotel_ws.selftest import self_test

    chosen = _load(arguments.settings)
    logs.configure(msgspec.structs.replace(chosen.log, level="error", format="terminal"))
    try:
        shown = self_test(chosen)
    except SelfTestError as error:
        print(f"self-test failed: {error}", file=sys.stderr)
        return 1
    print(f"self-test passed: {shown}")
    return 0


def _load(path: Path | None) -> Settings:
    return settings.load(path) if path else Settings()
