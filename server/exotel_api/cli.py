"""The command `exotel-api`."""

import argparse
import sys
from pathlib import Path

import msgspec
from exotel_ws import __version__, logs
from exotel_ws.settings import SettingsError

from exotel_api.settings import Settings, load


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
        print(f"exotel-api: {error}", file=sys.stderr)
        return 1
    return exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="exotel-api", description="Answers what Exotel asks about calls over HTTP.")
    parser.add_argument("--version", action="version", version=f"exotel-api {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    serve = verbs.add_parser("serve", help="answer in the foreground")
    serve.set_defaults(verb=_serve)
    serve.add_argument("--settings", type=Path, metavar="FILE", help="settings in TOML; the options below override it")
    serve.add_argument("--host", help="address to listen on")
    serve.add_argument("--port", type=int, help="TCP port to listen on (0: any free one)")
    check = verbs.add_parser("check-config", help="check a settings file and say what is wrong with it")
    check.set_defaults(verb=_check_config)
    check.add_argument("file", type=Path)
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    try:
        from exotel_api.serve import serve
    except ModuleNotFoundError as error:
        raise SettingsError([f"the companion is not installed ({error.name}): its packages are the extra api"]) from None
    chosen = load(arguments.settings) if arguments.settings else Settings()
    given = {name: value for name in ("host", "port") if (value := vars(arguments)[name]) is not None}
    chosen = msgspec.structs.replace(chosen, **given)
    logs.configure(chosen.log, "exotel-api")
    return serve(chosen)


def _check_config(arguments: argparse.Namespace) -> int:
    load(arguments.file)
    print(f"{arguments.file}: ok")
    return 0
