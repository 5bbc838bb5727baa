"""Words on pictures: the labels in the margins of a sheet. Black on white, in Pillow's own font."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from phosphene.core.images import Picture, from_pil, on_white

Cell = Float[Tensor, "_ _ _"]  # each of its own shape, c h w

GAP = 4  # px between pictures
SMALLEST, LARGEST = 12, 28  # px: sizes of letters
SHARE = 0.11  # of a picture's height
MOST_LINES = 4
NARROWEST = 120  # px: that the labels of rows may take, however small the pictures


@dataclass(frozen=True, slots=True)
class Letters:
    """Letters of a size in px."""

    size: int

    def width(self, text: str) -> int:
        """Of a line, px."""
        return round(self._font().getlength(text))

    @property
    def line(self) -> int:
        """Height of a line, px."""
        return round(self.size * 1.25)

    def wrapped(self, text: str, width: int) -> list[str]:
        """Break a text into lines of a width in px; what does not fit ends in an ellipsis."""
        lines = [""]
        for word in spoken(text).split():
            longer = f"{lines[-1]} {word}".strip()
            if not lines[-1] or self.width(longer) <= width:
                lines[-1] = longer
            else:
                lines.append(word)
        kept = lines[:MOST_LINES]
        if len(lines) > MOST_LINES:
            kept[-1] += "…"
        return [self._cut(line, width) for line in kept]

    def written(self, lines: Sequence[str], width: int, height: int) -> Picture:
        """Lines in the middle of a white field."""
        field = Image.new("L", (width, height), "white")
        draw = ImageDraw.Draw(field)
        top = (height - len(lines) * self.line) / 2
        for number, line in enumerate(lines):
            place = ((width - self.width(line)) / 2, top + number * self.line)
            draw.text(place, line, fill="black", font=self._font())
        return from_pil(field.convert("RGB"))

    def _cut(self, line: str, width: int) -> str:
        if self.width(line) <= width:
            return line
        while len(line) > 1 and self.width(f"{line}…") > width:
            line = line[:-1]
        return f"{line.rstrip('…')}…"

    def _font(self) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(self.size)


def spoken(text: str) -> str:
    """The text with symbols such as emoji by their names, which the font can write."""
    named = [
        f" {unicodedata.name(c, '?').lower()} " if unicodedata.category(c) == "So" else c
        for c in text
    ]
    return " ".join("".join(named).split())


def labelled(
    cells: Sequence[Sequence[Cell | None]], rows: Sequence[str], columns: Sequence[str]
) -> Float[Tensor, "3 sheet_h sheet_w"]:
    """Lay pictures out as a table with labels in its margins, on white.

    Args:
        cells: Rows of pictures of 1, 3 or 4 channels; smaller ones stand in the middle of their
            cell, and where there is None it stays white.
        rows: A label each; none of them at all: no margin.
        columns: Likewise.
    """
    shown = [[None if c is None else on_white(c[None])[0] for c in row] for row in cells]
    there = [cell for row in shown for cell in row if cell is not None]
    height, width = (max(cell.shape[axis] for cell in there) for axis in (1, 2))
    letters = Letters(min(LARGEST, max(SMALLEST, round(SHARE * height))))
    beside = [letters.wrapped(text, max(NARROWEST, width)) for text in rows]
    above = [letters.wrapped(text, width) for text in columns]
    left = max((letters.width(line) for lines in beside for line in lines), default=-3 * GAP)
    top = max((len(lines) for lines in above), default=-GAP / letters.line) * letters.line
    left, top = left + 4 * GAP, round(top) + 2 * GAP
    down, across = height + GAP, width + GAP
    sheet = torch.ones(3, top + len(cells) * down, left + max(map(len, shown)) * across)
    for i, lines in enumerate(above):
        spot = sheet[:, GAP : top - GAP, left + i * across : left + i * across + width]
        spot.copy_(letters.written(lines, width, top - 2 * GAP))
    for i, lines in enumerate(beside):
        spot = sheet[:, top + i * down : top + i * down + height, GAP : left - GAP]
        spot.copy_(letters.written(lines, left - 2 * GAP, height))
    for i, row in enumerate(shown):
        for j, cell in enumerate(row):
            if cell is not None:
                y = top + i * down + (height - cell.shape[1]) // 2
                x = left + j * across + (width - cell.shape[2]) // 2
                sheet[:, y : y + cell.shape[1], x : x + cell.shape[2]] = cell
    return sheet
