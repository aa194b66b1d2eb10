"""The command line. Only Typer is imported here: a verb is imported when it is run, so that each starts fast."""

from exotelctl.cli import acting, calling, capturing, completing, looking
from exotelctl.cli.app import app

__all__ = ["acting", "app", "calling", "capturing", "completing", "looking", "main"]


def main() -> None:
    """The console script."""
    from exotel_phone.output import tolerate_narrow_terminals
    from typer._completion_classes import completion_init

    tolerate_narrow_terminals()
    completion_init()
    app()
