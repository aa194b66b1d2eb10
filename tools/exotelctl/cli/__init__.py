"""The command line. Only Typer is imported here: a verb is imported when it is run, so that each starts fast."""

from exotelctl.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the console script."""
    from exotel_phone.output import tolerate_narrow_terminals
    from typer._completion_classes import completion_init

    tolerate_narrow_terminals()
    completion_init()
    app()
