"""Completion by the TAB key."""

import enum
from typing import Annotated

import typer

from exotelctl.cli.app import CODES, app


class Shell(enum.StrEnum):
    """A shell that completes."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command(epilog=CODES)
def completion(shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]) -> None:
    """Print the script that completes with TAB.

    A host that was deployed to has it for bash already (where the package bash-completion is installed).

    \b
    Example:
      exotelctl completion bash > ~/.local/share/bash-completion/completions/exotelctl
      exotelctl completion zsh > "${fpath[1]}/_exotelctl"
      exotelctl completion fish > ~/.config/fish/completions/exotelctl.fish
    """
    from typer._completion_shared import get_completion_script

    print(get_completion_script(prog_name="exotelctl", complete_var="_EXOTELCTL_COMPLETE", shell=shell))
