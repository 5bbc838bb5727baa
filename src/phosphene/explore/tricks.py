"""Paths that have names: each is one line of the path language.

Most come from "BigGanEx: A Dive into the Latent Space of BigGan" (The Gradient, 2018). Arguments
are spelled values; what a trick gives can be written out by hand, or be combined with tracks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from phosphene.core.errors import RecipeError
from phosphene.explore.paths import demand_known, spell


@dataclass(frozen=True, slots=True)
class Trick:
    """A named line.

    Args:
        usage: How it is called.
        meaning: What it shows.
        fewest: Arguments at least.
        most: Arguments at most.
        line: The line for its arguments.
    """

    usage: str
    meaning: str
    fewest: int
    most: int
    line: Callable[[Sequence[str]], str]


def _breed(args: Sequence[str]) -> str:
    first, second = args[:2]
    if len(args) == 2:
        return f"class = {first} ~ {second}"
    share = _number("breed", args[2])
    return f"class = {spell(share)}*({first}) + {spell(1 - share)}*({second})"


def _zoom(args: Sequence[str]) -> str:
    seed, *ends = args
    near, *far = (spell(-_number("zoom", end)) for end in ends or ["0"])
    last = f"{far[0]}*unit({seed})" if far else f"-1*({seed})"
    return f"z = {near}*unit({seed}) ~ {last}"


def _rotary(args: Sequence[str]) -> str:
    seed, other = args
    turned = f"across({other}, {seed})"
    return f"z = {seed} ~ {turned} ~ -1*({seed}) ~ -1*{turned}; loop"


def _number(trick: str, text: str) -> float:
    try:
        return float(text.replace(" ", ""))
    except ValueError:
        usage = TRICKS[trick].usage
        raise RecipeError(f"{text[:40]!r} is no number; write {usage}") from None


MANY = 1000
TRICKS = {
    "breed": Trick(
        "breed(fox, owl) or breed(fox, owl, 0.4)",
        "y = a y1 + (1 - a) y2: from one class to the other, or a class between them",
        2,
        3,
        _breed,
    ),
    "background": Trick(
        "background(7)",
        "from z to sin(z): the thing stays, its surroundings are dreamt",
        1,
        1,
        lambda args: f"z = {args[0]} ~ sin({args[0]})",
    ),
    "zoom": Trick(
        "zoom(7), zoom(7, 1) or zoom(7, 1, 12)",
        "-a z / |z|, the length a from 0, or as given, to that of z, or as given",
        1,
        3,
        _zoom,
    ),
    "rotary": Trick(
        "rotary(7, 8)",
        "z7 cos(t) + z8' sin(t), z8' perpendicular to z7 and as long: one turn, closed",
        2,
        2,
        _rotary,
    ),
    "same-seed": Trick(
        "same-seed(7, fox, owl, cat)",
        "one z in each class, one after the other",
        2,
        MANY,
        lambda args: f"z = {args[0]}; class = {' ~ '.join(args[1:])} : hold",
    ),
    "arithmetic": Trick(
        "arithmetic(lion, lion - cat + dog)",
        "from a class to a sum of classes",
        2,
        2,
        lambda args: f"class = {args[0]} ~ {args[1]}",
    ),
    "life-of": Trick(
        "life-of(beetle, 1, 2, 3)",
        "one class, its z through all seeds without corners",
        3,
        MANY,
        lambda args: f"class = {args[0]}; z = {' ~ '.join(args[1:])} : curve",
    ),
}


def line_of(name: str, arguments: Sequence[str]) -> str:
    """The line that a trick stands for.

    Raises:
        RecipeError: no trick of that name, or arguments that it does not take.
    """
    demand_known("trick", name, TRICKS)
    trick = TRICKS[name]
    if not trick.fewest <= len(arguments) <= trick.most:
        raise RecipeError(f"{name} got {len(arguments)} arguments; write {trick.usage}")
    return trick.line(arguments)
