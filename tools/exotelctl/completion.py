"""``exotelctl completion``: the script that completes with the TAB key."""

from exotel_phone.exits import Exit
from exotel_phone.output import say
from typer._completion_shared import get_completion_script

from exotelctl.options import CompletionOptions


def run(options: CompletionOptions) -> Exit:
    """Print the script for the shell."""
    say(get_completion_script(prog_name="exotelctl", complete_var="_EXOTELCTL_COMPLETE", shell=options.shell))
    return Exit.OK
