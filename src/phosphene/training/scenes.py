"""Captioned pictures without end, composed from the emoji sprite set.

A scene is planned with dice keyed by (seed, index) alone, painted, put through a rendering now and
then, and described truthfully: what the caption says is in the picture, though not everything in
the picture is in the caption.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from phosphene.core.errors import RecipeError
from phosphene.core.rng import Rng
from phosphene.training import captions, grounds
from phosphene.training.example import Example
from phosphene.training.pictures import demand_split
from phosphene.training.renderings import RENDERINGS, render
from phosphene.training.sprites import (
    RECOLOURS,
    SpriteShelf,
    Subject,
    read_subjects,
    recolour,
)

NOMINAL_LENGTH = 1_000_000
RENDERED_SHARE = 0.35
_WEIGHTS = {"people-body": 0.35, "animals-nature": 1.6, "food-drink": 1.3, "symbols": 0.7}
_CONTRAST = 55.0  # least distance in RGB between an object and its ground
_FULL, _MOST_SIDE_WHEN_FULL = 0.85, 0.96  # a square that fills the canvas has no shape
_PLACES = {
    (0, 0): ("in the top left corner", "in the top left"),
    (0, 1): ("at the top",),
    (0, 2): ("in the top right corner", "in the top right"),
    (1, 0): ("on the left",),
    (1, 2): ("on the right",),
    (2, 0): ("in the bottom left corner", "in the bottom left"),
    (2, 1): ("at the bottom",),
    (2, 2): ("in the bottom right corner", "in the bottom right"),
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One object of a scene; side and centre (x, y) are shares of the canvas."""

    subject: Subject
    style: str
    side: float
    x: float
    y: float
    colour: str | None = None
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """What is painted and said."""

    figures: tuple[Figure, ...]
    ground: str
    said_ground: str
    said_place: str
    layout: str
    adjectives: tuple[str, ...]
    rendering: str | None
    names_style: bool


class SceneSource:
    """Scenes by index.

    Args:
        root: A set built by `build_emoji`.
        size: Side of the pictures in pixels.
        seed: Another seed, other scenes.
        split: "train" never shows or names a held-out concept, "held-out" shows only those.
        siblings: Consecutive scenes that share their objects but for style, ground and wording: for
            contrast, which otherwise learns to look at objects alone.
        plain_share: Of the scenes, that show one object alone, large and as it was drawn, on white.
        drawn: Give with each scene the plain drawing of it, as three further channels: the same
            objects in the same places, in their own colours, on white.
    Raises:
        RecipeError: no set at `root`, unknown split, a split without concepts, or a size
                outside 8 to 4096.
    """

    def __init__(
        self,
        root: Path,
        size: int = 128,
        seed: int = 0,
        split: str = "train",
        siblings: int = 1,
        plain_share: float = 0.0,
        *,
        drawn: bool = False,
    ) -> None:
        demand_split(split, size)
        everything = read_subjects(root)
        secret = {
            name.lower() for s in everything.values() if s.held_out for name in (s.label, *s.names)
        }
        wanted = [
            _without(s, secret if split == "train" else set())
            for s in everything.values()
            if split == "all" or s.held_out == (split == "held-out")
        ]
        self.subjects = [s for s in wanted if s.styles]
        if not self.subjects:
            raise RecipeError(f"the set at {str(root)!r} has no concepts in split {split!r}")
        self.size, self.siblings, self.plain_share = size, siblings, plain_share
        self.drawn = drawn
        self._rng = Rng((seed,)).fork("scene")
        self._cast_rng = Rng((seed,)).fork("cast")
        self._shelf = SpriteShelf(root)
        weights = [_WEIGHTS.get(s.group, 1.0) for s in self.subjects]
        self._cumulative = np.cumsum(weights).tolist()

    def __len__(self) -> int:
        return NOMINAL_LENGTH

    def example(self, index: int) -> Example:
        """Compose scene `index` (0 or above, also beyond the nominal length)."""
        dice = self._rng.fork(index).dice()
        cast = self._cast_rng.fork(index // self.siblings).dice()
        if self.plain_share and dice.random() < self.plain_share:
            scene = self._plain(dice, cast)
        else:
            scene = self._plan(dice, cast)
        image, scene = self._paint(scene, dice)
        pixels = np.array(image)
        if scene.rendering is not None:
            pixels = render(scene.rendering, pixels, dice)
        if self.drawn:
            pixels = np.concatenate([pixels, self._drawing(scene)], axis=2)
        tensor = torch.from_numpy(pixels).permute(2, 0, 1).contiguous()
        return Example(tensor, describe(scene, dice), scene.figures[0].subject.name)

    def portrait(self, subject: Subject, style: str) -> UInt8[Tensor, "3 h w"]:
        """One object alone in the middle of a white ground, as drawn in a style."""
        canvas = Image.new("RGB", (self.size, self.size), "white")
        sprite = self._shelf.sprite(style, subject.name).image
        _paste(canvas, sprite, Figure(subject, style, 0.9, 0.5, 0.5))
        return torch.from_numpy(np.array(canvas)).permute(2, 0, 1).contiguous()

    def _drawing(self, scene: Scene) -> UInt8[np.ndarray, "h w 3"]:
        """What there is in a scene, as it was drawn."""
        canvas = Image.new("RGB", (self.size, self.size), "white")
        for figure in scene.figures:
            _paste(canvas, self._shelf.sprite(figure.style, figure.subject.name).image, figure)
        return np.array(canvas)

    def _plan(self, dice: Random, cast: Random) -> Scene:
        """Choose the objects with `cast`, everything else with `dice`."""
        roll = cast.random()
        count = 1 if roll < 0.7 else 2 if roll < 0.92 else 3
        rendering = None
        if dice.random() < RENDERED_SHARE:
            rendering = dice.choice(list(RENDERINGS))
            # Brushes make small objects hard to see, tiles impossible.
            count = 1 if roll < 0.86 or RENDERINGS[rendering].coarse else 2
        count = min(count, len(self.subjects))
        subjects: list[Subject] = []
        while len(subjects) < count:
            drawn = cast.choices(self.subjects, cum_weights=self._cumulative)[0]
            if drawn not in subjects:
                subjects.append(drawn)
        layout = "row" if dice.random() < 0.6 else "column"
        names_style = dice.random() < (0.5 if rendering is None else 0.12)
        if count == 1:
            figure, place, adjectives = self._alone(subjects[0], rendering, dice)
            figures: tuple[Figure, ...] = (figure,)
        else:
            figures, place, adjectives = self._together(subjects, layout, rendering, dice), "", ()
        scene = Scene(figures, "white", "", place, layout, adjectives, rendering, names_style)
        words = frozenset().union(*(s.words for s in subjects))
        ground, said = _roll_ground(words, rendering, dice)
        return replace(scene, ground=ground, said_ground=said)

    def _plain(self, dice: Random, cast: Random) -> Scene:
        """One object, large, in the middle of a white ground."""
        cast.random()  # siblings that are no plain scenes count their objects with it
        subject = cast.choices(self.subjects, cum_weights=self._cumulative)[0]
        side = dice.uniform(0.85, 0.95)
        figure = Figure(
            subject, dice.choice(subject.styles), side, 0.5, 0.5, mirrored=_mirror(subject, dice)
        )
        return Scene((figure,), "white", "", "", "row", (), None, dice.random() < 0.5)

    def _alone(
        self, subject: Subject, rendering: str | None, dice: Random
    ) -> tuple[Figure, str, tuple[str, ...]]:
        """Place one object: mostly large and central, sometimes small and aside."""
        style = dice.choice(subject.styles)
        roll = dice.random()
        low, high = (0.8, 1.05) if roll < 0.6 else (0.55, 0.8) if roll < 0.82 else (0.35, 0.5)
        if rendering is not None:
            least = 0.75 if RENDERINGS[rendering].coarse else 0.6
            low, high = max(low, least), max(high, least + 0.2)
        side = dice.uniform(low, high)
        adjectives = []
        if side <= 0.5 and dice.random() < 0.6:
            adjectives.append(dice.choice(("tiny", "very small") if side < 0.4 else ("small",)))
        elif side >= 0.95 and dice.random() < 0.3:
            adjectives.append(dice.choice(("huge", "giant") if side > 1 else ("big", "large")))
        row = column = 1
        if side < 0.68 and dice.random() < 0.6:
            row, column = dice.choice(list(_PLACES))
        slack = max(0.0, 1 - side) / 2
        x, y = 0.5 + (column - 1) * slack * 0.94, 0.5 + (row - 1) * slack * 0.94
        jitter = 0.25 * slack if row == column == 1 else 0.06 * slack
        x, y = x + dice.uniform(-jitter, jitter), y + dice.uniform(-jitter, jitter)
        place = ""
        if (row, column) != (1, 1) and dice.random() < 0.7:
            place = dice.choice(_PLACES[row, column])
        elif row == column == 1 and side < 0.68 and dice.random() < 0.15:
            place = dice.choice(("in the middle", "in the centre", "in the center"))
        figure = Figure(subject, style, side, x, y, mirrored=_mirror(subject, dice))
        if _may_recolour(subject, rendering) and dice.random() < 0.12:
            figure = replace(figure, colour=dice.choice(RECOLOURS))
        return figure, place, tuple(adjectives)

    def _together(
        self, subjects: list[Subject], layout: str, rendering: str | None, dice: Random
    ) -> tuple[Figure, ...]:
        """Place two or three objects in a row or a column, mostly drawn in one style."""
        shared = set(subjects[0].styles).intersection(*(s.styles for s in subjects[1:]))
        style = dice.choice(sorted(shared)) if shared and dice.random() < 0.85 else None
        count = len(subjects)
        side = dice.uniform(0.4, 0.5) if count == 2 else dice.uniform(0.26, 0.31)
        figures = []
        for i, subject in enumerate(subjects):
            along = (i + 0.5) / count + dice.uniform(-0.008, 0.008)
            across = 0.5 + dice.uniform(-0.08, 0.08)
            x, y = (along, across) if layout == "row" else (across, along)
            colour = None
            if _may_recolour(subject, rendering) and dice.random() < 0.1:
                colour = dice.choice(RECOLOURS[:-2])
            figures.append(
                Figure(subject, style or dice.choice(subject.styles), side, x, y, colour,
                       _mirror(subject, dice))
            )  # fmt: skip
        return tuple(figures)

    def _paint(self, scene: Scene, dice: Random) -> tuple[Image.Image, Scene]:
        """Paint a scene; what cannot be made true (a colour, a contrast) is taken back."""
        size = self.size
        sprites, figures = [], []
        for planned in scene.figures:
            figure = planned
            sprite = self._shelf.sprite(figure.style, figure.subject.name)
            if figure.colour is not None and sprite.vividness < 0.55:
                figure = replace(figure, colour=None)
            if sprite.fullness > _FULL:
                figure = replace(figure, side=min(figure.side, _MOST_SIDE_WHEN_FULL))
            image, mean = sprite.image, sprite.colour
            if figure.colour is not None:
                image = recolour(image, figure.colour)
                mean = np.asarray(image.resize((1, 1)))[0, 0, :3].astype(np.float32)
            sprites.append((image, mean))
            figures.append(figure)
        scene = replace(scene, figures=tuple(figures))
        words = frozenset().union(*(f.subject.words for f in figures))
        for _ in range(6):
            canvas = _paint_ground(scene.ground, size, dice)
            back = grounds.mean_colour(canvas)
            if all(np.linalg.norm(mean - back) > _CONTRAST for _, mean in sprites):
                break
            ground, said = _roll_ground(words, scene.rendering, dice)
            scene = replace(scene, ground=ground, said_ground=said)
        for figure, (image, _) in zip(figures, sprites, strict=True):
            _paste(canvas, image, figure)
        return canvas, scene


def _without(subject: Subject, secret: set[str]) -> Subject:
    """Forget synonyms and keywords that would name a held-out concept."""
    return replace(
        subject,
        names=tuple(n for n in subject.names if n.lower() not in secret),
        keywords=tuple(k for k in subject.keywords if k.lower() not in secret),
    )


def _mirror(subject: Subject, dice: Random) -> bool:
    return dice.random() < 0.3 and subject.mirrors


def _may_recolour(subject: Subject, rendering: str | None) -> bool:
    return not subject.coloured and (rendering is None or RENDERINGS[rendering].keeps != "shapes")


def _roll_ground(words: frozenset[str], rendering: str | None, dice: Random) -> tuple[str, str]:
    """Choose a ground and what the caption says of it (nothing, mostly, when it is white)."""
    keeps = "colours" if rendering is None else RENDERINGS[rendering].keeps
    roll = dice.random()
    if keeps == "shapes":  # the rendering has a ground of its own
        return "white" if roll < 0.7 else dice.choice(list(grounds.COLOURS)), ""
    if roll < 0.45:
        forms = ("on a white background", "on white", "on a plain white background")
        said = keeps == "colours" and dice.random() < 0.12
        return "white", dice.choice(forms) if said else ""
    if roll < 0.72:
        name = dice.choice(list(grounds.COLOURS))
        article = "an" if name == "orange" else "a"
        long = f"on {article} {name} background"
        said = keeps == "colours" and dice.random() < 0.85
        return name, dice.choice((long, long, f"on {name}")) if said else ""
    name = dice.choice(grounds.places_for(words))
    _, phrases = grounds.PLACES[name]
    return name, dice.choice(phrases) if dice.random() < 0.9 else ""


def _paint_ground(name: str, size: int, dice: Random) -> Image.Image:
    if name in grounds.PLACES:
        return grounds.PLACES[name][0](size, dice)
    return grounds.plain(name, size, dice)


def _paste(canvas: Image.Image, sprite: Image.Image, figure: Figure) -> None:
    """Lay a sprite on the canvas, its longer side scaled to the figure's side."""
    size = canvas.width
    scale = figure.side * size / max(sprite.size)
    wide, tall = (max(1, round(n * scale)) for n in sprite.size)
    image = sprite.resize((wide, tall), Image.Resampling.BICUBIC, reducing_gap=2.0)
    if figure.mirrored:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    left, top = round(figure.x * size - wide / 2), round(figure.y * size - tall / 2)
    canvas.paste(image, (left, top), image)


def describe(scene: Scene, dice: Random) -> str:
    """Put a scene into words."""
    nouns = []
    for figure in scene.figures:
        colour = () if figure.colour is None else (figure.colour,)
        nouns.append(captions.naming(figure.subject, dice, (*scene.adjectives, *colour)))
    if len(nouns) > 1:
        text = captions.relate(nouns, scene.layout, dice)
    else:
        figure = scene.figures[0]
        text = nouns[0]
        if not scene.adjectives and not scene.said_place and not scene.said_ground:
            text = captions.elaborate(figure.subject, text, dice, figure.colour is not None)
    phrases = [phrase for phrase in (scene.said_place, scene.said_ground) if phrase]
    if len(phrases) == 2 and dice.random() < 0.5:
        phrases.reverse()
    text = " ".join([text, *phrases])
    drawn = {figure.style for figure in scene.figures}
    drawing = drawn.pop() if scene.names_style and len(drawn) == 1 else None
    rendering = scene.rendering if dice.random() < 0.97 else None
    return captions.in_style(text, rendering, drawing, dice)
