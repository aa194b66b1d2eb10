"""Make the command line of the verbs, and exit codes of what they return and raise."""

import dataclasses
import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from exotel_phone.exits import Exit, Refusal, UsageFault
from typer.core import TyperGroup

from exotelctl.cli.verbs import CODES, GROUPS, Verb


class _Grouped(TyperGroup):
    """The verbs as ``exotelctl --help`` lists them: a section a group."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the sections, the help texts of all in one column."""
        widest = max(map(len, self.commands))
        limit = formatter.width - widest - 4
        for title, verbs in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(widest), self.commands[name].get_short_help_str(limit)) for name in verbs])


app = typer.Typer(
    name="exotelctl",
    cls=_Grouped,
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


def _runner(verb: Verb) -> Callable[..., None]:
    """Return the function that Typer calls: its parameters are the fields of the verb's options.

    A UsageFault ends as Typer's own usage errors do (exit code 2), a Refusal with one line and exit code 3.
    """

    def run(**typed: object) -> None:
        try:
            code = importlib.import_module(verb.module).run(verb.options(**typed))
        except UsageFault as fault:
            raise typer.BadParameter(str(fault)) from None
        except Refusal as refusal:
            print(f"exotelctl: {refusal}", file=sys.stderr)
            raise typer.Exit(Exit.REFUSED) from None
        raise typer.Exit(code)

    run.__signature__ = inspect.Signature(list(map(_parameter, dataclasses.fields(verb.options))))  # type: ignore[attr-defined]
    return run


def _parameter(field: "dataclasses.Field[object]") -> inspect.Parameter:
    default = inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=field.type)


for _verbs in GROUPS.values():
    for _name, _verb in _verbs.items():
        app.command(_name, help=_verb.options.__doc__, epilog=_verb.codes, cls=_verb.command)(_runner(_verb))
