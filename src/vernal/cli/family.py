"""A verb with verbs below it: ``vernal NOUN SUBJECT`` shows, ``vernal NOUN VERB SUBJECT`` acts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup
from typing_extensions import override

from vernal.cli.reporting import verb

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT = "list"
"""The verb that is meant when the first word names none; a subject of a verb's name needs it written out."""


class _Showing(TyperGroup):
    """A group whose first word may be left out."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        asks_for_help = bool(args) and args[0] in ctx.help_option_names
        if args and args[0] not in self.commands and not asks_for_help:
            args = [DEFAULT, *args]
        rest: list[str] = super().parse_args(ctx, args)
        return rest


def family(verbs: dict[str, Callable[..., None]], *, about: str) -> typer.Typer:
    """Return verbs that share a noun, as one command; ``list`` must be among them."""
    group = typer.Typer(cls=_Showing, help=about, no_args_is_help=True, rich_markup_mode="rich")
    for name, function in verbs.items():
        group.command(name)(verb(function))
    return group
