"""Hold the application that the verbs register with, options that several of them take, and the end of each run."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, ParamSpec

import typer
from exotel_phone.exits import Exit, Refusal, UsageFault
from typer.core import TyperCommand

from exotelctl.cli.groups import Verbs

P = ParamSpec("P")
CODES: Final = "Exit codes: 0 done or healthy, 1 problem found, 2 wrong usage, 3 refused (nothing was changed)."
SETTINGS_FILE: Final = Path("/etc/exotel-ws/current/settings.toml")

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

Url = Annotated[str, typer.Argument(metavar="URL", help="ws://HOST:PORT?sample-rate=8000, wss://user:token@HOST/path")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]
# readable: host_settings tells a user who may not read settings.toml what to do.
Settings = Annotated[Path, typer.Option(metavar="FILE", readable=False, help="The server's settings on this host.")]
Credential = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="File with a line user:token; keeps the token off the command line."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Act without asking.")]
CallId = Annotated[str, typer.Option("--call", metavar="SID", help="One call: its call_sid, stream_sid or conn_id.")]
Numbers = Annotated[bool, typer.Option("--numbers", help="Callers' numbers in full; they are masked otherwise.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite a file that exists.")]
Inventory = Annotated[Path | None, typer.Option(metavar="PATH", help="Ansible's: traffic may be sent to its hosts.")]
AsExotel = Annotated[
    bool, typer.Option("--as-exotel", help="Strip the URL's query, deliver it as custom parameters, as Exotel does.")
]
Rate = Annotated[int | None, typer.Option(metavar="HZ", help="8000, 16000 or 24000; default: the URL's.")]
Own = Annotated[
    bool, typer.Option("--i-own-this-server", help="Send traffic to a server that is neither here nor in the inventory.")
]


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
) -> Callable[[Callable[P, int]], Callable[P, None]]:
    """Register a function as the verb ``name``, its own name by default. The function returns the exit code.

    A UsageFault ends as Typer's own usage errors do (exit code 2), a Refusal with one line and exit code 3.
    """

    def register(verb: Callable[P, int]) -> Callable[P, None]:
        @app.command(name, epilog=epilog, cls=cls)
        @functools.wraps(verb)
        def run(*args: P.args, **options: P.kwargs) -> None:
            try:
                code = verb(*args, **options)
            except UsageFault as fault:
                raise typer.BadParameter(str(fault)) from None
            except Refusal as refusal:
                print(f"exotelctl: {refusal}", file=sys.stderr)
                raise typer.Exit(Exit.REFUSED) from None
            raise typer.Exit(code)

        return run

    return register
