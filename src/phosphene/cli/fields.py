"""Options that nobody wrote by hand: every field of a recipe is one.

`--tv-weight 0.1` is `--set tv_weight=0.1`, and `--zoom.angle 3` is `--set zoom.angle=3`.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from typer.core import TyperCommand

from phosphene.core.errors import RecipeError

SET, END = "--set", "--"


def command_of(fields: Callable[[], Collection[str]]) -> type[TyperCommand]:
    """The class of a command whose `--set` changes a recipe's fields.

    Args:
        fields: Names them; asked only where an option is not the command's own, as it has to
            import the kind of recipe.
    """

    class WithFields(TyperCommand):
        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            """Read what belongs to fields as changes, everything else as ever."""
            own = {name for option in self.params for name in option.opts + option.secondary_opts}
            own |= {"--help", SET}
            return super().parse_args(ctx, with_changes(args, own, fields))

    return WithFields


def with_changes(
    arguments: Sequence[str], own: Collection[str], fields: Callable[[], Collection[str]]
) -> list[str]:
    """Write options that are fields as `--set`, in place.

    Args:
        own: Options of the command itself.
        fields: Names of the recipe's fields.
    Raises:
        RecipeError: a field without a value.
    """
    rest, written = list(arguments), list[str]()
    while rest:
        word = rest.pop(0)
        if word == END:
            return [*written, word, *rest]
        option, equals, value = word.partition("=")
        key = option.removeprefix("--").replace("-", "_")
        foreign = option.startswith("--") and option not in own
        if not foreign or key.split(".")[0] not in fields():
            written.append(word)
            continue
        if not equals:
            if not rest:
                raise RecipeError(f"{option} needs a value; for example {option} VALUE")
            value = rest.pop(0)
        written += [SET, f"{key}={value}"]
    return written
