"""A verb that has to know in which order its options were typed, across their names."""

from typing import Any, Final

from typer.core import TyperCommand

_KEY: Final = "exotelctl.order"


class InOrder(TyperCommand):
    """Notes the names of the parameters, one for each time one was given, where `order` finds them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As every command does; read once more for the order, which is not kept."""
        _options, _rest, given = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[_KEY] = [parameter.name for parameter in given]
        return super().parse_args(ctx, args)


def order(ctx: Any) -> list[str]:
    """The names as they were typed."""
    return list(ctx.meta[_KEY])
