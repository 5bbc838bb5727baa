"""A family tree as a picture: a row a generation, lines from parents to children."""

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Float
from PIL import Image, ImageDraw
from torch import Tensor

from phosphene.core.images import Picture, from_pil, on_white, resize, to_pil
from phosphene.core.lettering import Letters
from phosphene.explore.family_tree import FamilyTree

LARGEST = 96  # px: longer side of a face
SMALLEST = 8
MOST = 6000  # px: width of the whole
GAP = 12  # px between faces
DROP = 44  # px between generations, for the lines
LETTERS = Letters(12)
INKS = ("#c0392b", "#2471a3")  # of lines from first and second parents


@dataclass(frozen=True, slots=True)
class Place:
    """Left and top of a face, px."""

    x: int
    y: int


def family_picture(
    tree: FamilyTree, faces: Mapping[str, Picture]
) -> Float[Tensor, "3 sheet_h sheet_w"]:
    """Draw a tree.

    A child stands below the middle of its parents, as far as there is room. A red line leads to
    the first parent, a blue one to the second.

    Args:
        faces: The picture of each member, by its name; all of one size.
    """
    rows = _rows(tree)
    first = next(iter(faces.values()))
    longest = max(map(len, rows))
    side = min(LARGEST, max(first.shape[-2:]), MOST // longest - GAP)
    scale = max(SMALLEST, side) / max(first.shape[-2:])
    height, width = (max(1, round(s * scale)) for s in first.shape[-2:])
    across, down = width + GAP, height + LETTERS.line + DROP
    sheet = Image.new("RGB", (GAP + longest * across, GAP + len(rows) * down - DROP + GAP), "white")
    places = _places(tree, rows, longest, across, down)
    draw = ImageDraw.Draw(sheet)
    for member in tree.members:
        for parent, ink in zip(member.parents, INKS, strict=False):
            here, there = places[member.id], places[parent]
            start = (there.x + width // 2, there.y + height + LETTERS.line)
            draw.line([start, (here.x + width // 2, here.y)], fill=ink, width=1)
    for name, place in places.items():
        face = on_white(faces[name][None])
        sheet.paste(to_pil(resize(face, height, width)[0]), (place.x, place.y))
        words = LETTERS.wrapped(name, width)[:1]
        label = to_pil(LETTERS.written(words, width, LETTERS.line))
        sheet.paste(label, (place.x, place.y + height))
    return from_pil(sheet)


def _rows(tree: FamilyTree) -> list[list[str]]:
    """Names by generation."""
    generations = tree.generations()
    rows: list[list[str]] = [[] for _ in range(max(generations.values()) + 1)]
    for member in tree.members:
        rows[generations[member.id]].append(member.id)
    return rows


def _places(
    tree: FamilyTree, rows: list[list[str]], longest: int, across: int, down: int
) -> dict[str, Place]:
    """Founders evenly; then each below the middle of its parents, or the next free place."""
    columns: dict[str, float] = {}
    for row in rows:
        wish = {name: _middle(tree, name, columns) for name in row}
        ordered = sorted(row, key=lambda name: (wish[name], row.index(name)))
        room = longest - len(row)
        taken = -1.0
        for number, name in enumerate(ordered):
            middle = longest / 2 - 0.5 if wish[name] < 0 else wish[name]
            spread = middle if wish[name] >= 0 else room / 2 + number
            taken = min(max(spread, taken + 1), longest - len(row) + number)
            columns[name] = taken
    generation = tree.generations()
    return {
        name: Place(GAP + round(column * across), GAP + generation[name] * down)
        for name, column in columns.items()
    }


def _middle(tree: FamilyTree, name: str, columns: Mapping[str, float]) -> float:
    """Mean column of the parents; -1 for a founder."""
    parents = tree.member(name).parents
    return sum(columns[parent] for parent in parents) / len(parents) if parents else -1.0
