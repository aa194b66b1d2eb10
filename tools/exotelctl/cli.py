"""The command line. Only Typer is imported here: a verb is imported when it is run, so that each starts fast."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from exotelctl.exits import UsageFault

_CODES = "Exit codes: 0 done or healthy, 1 problem found, 2 wrong usage, 3 refused (nothing was changed)."

app = typer.Typer(
    name="exotelctl",
    help="Look after an Exotel voicebot server: test it, call it, free its port.",
    epilog=_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Url = Annotated[str, typer.Argument(help="ws://HOST:PORT?sample-rate=8000, wss://user:token@HOST/path")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]
Settings = Annotated[Path, typer.Option(help="The server's settings on this host.")]
Credential = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="File with a line user:token; keeps the token off the command line."),
]
_SETTINGS = Path("/etc/exotel-ws/current/settings.toml")


@app.command("protocol-test", epilog=_CODES)
def protocol_test(
    url: Url,
    all_rates: Annotated[bool, typer.Option("--all-rates", help="At 8000, 16000 and 24000 Hz, not only the URL's.")] = False,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Longest wait for one answer.")] = 2.0,
    credential_file: Credential = None,
    json: Json = False,
) -> None:
    """Is an echo server fit for Exotel?

    One PASS or FAIL line a check, totals, an exit code.

    \b
    Example:
      exotelctl protocol-test 'ws://127.0.0.1:8765?sample-rate=8000'
    """
    from exotelctl.compliance import verb

    with _usage():
        code = verb.run(url, all_rates=all_rates, timeout_s=timeout, credential_file=credential_file, json=json)
    raise typer.Exit(code)


@app.command(epilog=_CODES)
def call(
    url: Url,
    wav: Annotated[Path | None, typer.Option(metavar="FILE", help="What to say: mono 16-bit PCM WAV.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write what came back to this WAV file.")] = None,
    rate: Annotated[int | None, typer.Option(metavar="HZ", help="8000, 16000 or 24000; default: the URL's.")] = None,
    seconds: Annotated[float, typer.Option(help="Length of the generated signal, without --wav.")] = 2.0,
    as_exotel: Annotated[
        bool, typer.Option("--as-exotel", help="Strip the URL's query, deliver it as custom parameters, as Exotel does.")
    ] = False,
    credential_file: Credential = None,
    json: Json = False,
) -> None:
    """Place a simulated call, measure its echo.

    Paced at 20 ms, exactly as on the wire; says how late the echo was and whether it is bit-exact.

    \b
    Example:
      exotelctl call 'ws://127.0.0.1:8765?sample-rate=8000' --wav hello.wav --out echo.wav
    """
    from exotelctl import call as verb

    with _usage():
        code = verb.run(
            url, wav=wav, out=out, rate=rate, seconds=seconds, as_exotel=as_exotel, credential_file=credential_file, json=json
        )
    raise typer.Exit(code)


@app.command(epilog=_CODES)
def health(
    url: Annotated[str | None, typer.Argument(help="Default: the server on this host.")] = None,
    settings: Settings = _SETTINGS,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Longest wait for one answer.")] = 5.0,
    json: Json = False,
) -> None:
    """Ask /health and /ready.

    Where they do not answer it says why.

    \b
    Example:
      exotelctl health http://203.0.113.10:8765
    """
    from exotelctl import health as verb

    with _usage():
        code = verb.run(url, settings=settings, timeout_s=timeout, json=json)
    raise typer.Exit(code)


@app.command("port-clean", epilog=_CODES)
def port_clean(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The TCP port to free.")] = 8765,
    yes: Annotated[bool, typer.Option("--yes", help="Act without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, do nothing, exit 0.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also end a process that a service manager looks after.")] = False,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", help="Wait after SIGTERM, and again after SIGKILL.")] = 10.0,
    json: Json = False,
) -> None:
    """Free a port from zombies.

    Says who holds it and why, asks, then SIGTERM, a wait, SIGKILL, and proof that the port is free.

    On a terminal it asks. Elsewhere it acts only with --yes; without, it prints the plan and exits 3.

    \b
    Example:
      exotelctl port-clean --port 8765 --dry-run
    """
    from exotelctl.port import verb

    with _usage():
        code = verb.run(port, yes=yes, dry_run=dry_run, force=force, timeout_s=timeout, json=json)
    raise typer.Exit(code)


@app.command(epilog=_CODES)
def url(
    host: Annotated[str | None, typer.Option(help="Public name or address; default: public_url of the settings.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: the settings', else 8765.")] = None,
    rate: Annotated[int, typer.Option(metavar="HZ", help="8000, 16000 or 24000.")] = 8000,
    settings: Settings = _SETTINGS,
    json: Json = False,
) -> None:
    """Print the line to paste into Exotel.

    \b
    Example:
      exotelctl url --host 203.0.113.10
    """
    from exotelctl import url as verb

    with _usage():
        code = verb.run(host=host, port=port, rate=rate, settings=settings, json=json)
    raise typer.Exit(code)


@contextlib.contextmanager
def _usage() -> Iterator[None]:
    """Turns a UsageFault into Typer's own usage error: the message and exit code 2."""
    try:
        yield
    except UsageFault as fault:
        raise typer.BadParameter(str(fault)) from None


def main() -> None:
    """The console script."""
    from exotelctl.output import tolerate_narrow_terminals

    tolerate_narrow_terminals()
    app()
