"""Hold the application that the verbs register with, and turn their options and faults into a command line."""

import dataclasses
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, TypeVar

import typer
from exotel_phone.exits import Exit, Refusal, UsageFault
from typer.core import TyperCommand

from exotelctl.cli.groups import Verbs

T = TypeVar("T")
CODES: Final = "Exit codes: 0 done or healthy, 1 problem found, 2 wrong usage, 3 refused (nothing was changed)."

app = typer.Typer(
    name="exotelctl",
    cls=Verbs,
    add_completion=False,  # `exotelctl completion` instead, which has no need to guess the shell
    help="Look after an Exotel voicebot server: see what it does, find what is wrong, test it, free its port.",
    epilog=CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        release = Path(sys.prefix).name if "/releases/" in sys.prefix else ""
        print(f"exotelctl {version('exotel-voicebot')}{f', of release {release}' if release else ''}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and the release, and exit.")
    ] = False,
) -> None:
    pass


def command(
    name: str | None = None, *, epilog: str = CODES, cls: type[TyperCommand] | None = None
) -> Callable[[Callable[[T], int]], Callable[..., None]]:
    """Register a function as the verb ``name``, its own name by default; ``epilog`` tells its exit codes.

    The function takes one dataclass of options, whose fields become those of the command line, and returns the exit code. A
    UsageFault ends as Typer's own usage errors do (exit code 2), a Refusal with one line and exit code 3.
    """

    def register(verb: Callable[[T], int]) -> Callable[..., None]:
        (options,) = (parameter.annotation for parameter in inspect.signature(verb).parameters.values())

        def run(**typed: object) -> None:
            try:
                code = verb(options(**typed))
            except UsageFault as fault:
                raise typer.BadParameter(str(fault)) from None
            except Refusal as refusal:
                print(f"exotelctl: {refusal}", file=sys.stderr)
                raise typer.Exit(Exit.REFUSED) from None
            raise typer.Exit(code)

        run.__name__, run.__doc__ = verb.__name__, verb.__doc__
        run.__signature__ = inspect.Signature([_parameter(field) for field in dataclasses.fields(options)])  # type: ignore[attr-defined]
        app.command(name, epilog=epilog, cls=cls)(run)
        return run

    return register


def _parameter(field: "dataclasses.Field[object]") -> inspect.Parameter:
    default = inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=field.type)
