"""The verbs as ``exotelctl --help`` lists them: by what a person wants to do, not by when they were registered."""

from typing import Any, Final

from typer.core import TyperGroup

GROUPS: Final = {
    "See what is going on": ("status", "logs", "doctor", "verify", "health"),
    "Be Exotel": ("call", "talk", "protocol-test", "load", "url"),
    "Look into calls": ("trace", "capture", "replay", "diff"),
    "Put it right": ("restart", "reset", "port-clean", "maintenance"),
    "Your shell": ("completion",),
}


class Verbs(TyperGroup):
    """A verb that no group names is listed in a last one."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """One section a group, the help texts of all in one column."""
        widest = max(map(len, self.commands))
        limit = formatter.width - widest - 4
        named = {name for names in GROUPS.values() for name in names}
        others = tuple(name for name in self.commands if name not in named)
        for title, names in (GROUPS | {"Others": others}).items():
            rows = [
                (name.ljust(widest), command.get_short_help_str(limit))
                for name in names
                if (command := self.commands.get(name)) and not command.hidden
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
