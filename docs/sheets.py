"""Paint the contact sheet of docs/families/vqgan.md: `python docs/sheets.py [SEED]`.

Eight subjects (columns) by five styles (rows) with the embedded default of `imagine`.
"""

import sys
from pathlib import Path

import torch
from PIL import Image, ImageDraw

import phosphene
from phosphene.core.images import from_pil, to_pil

SUBJECTS = ("green heart", "dog face", "red rose", "rocket", "octopus", "house with garden",
            "yellow bird", "penguin next to a banana")  # fmt: skip
STYLES = ("3D render", "flat design", "painting", "pencil drawing", "neon")
PICTURES = Path(__file__).parent / "pictures"
GAP, LABEL = 4, 14


def labelled(
    rows: list[list[torch.Tensor]], left: tuple[str, ...], top: tuple[str, ...]
) -> Image.Image:
    """A sheet of pictures c h w with the names of its rows and columns."""
    height, width = rows[0][0].shape[-2:]
    margin = 90
    size = (margin + len(top) * (width + GAP), LABEL + len(left) * (height + GAP))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(top):
        draw.text((margin + column * (width + GAP), 1), name[:22], fill="black")
    for row, (name, pictures) in enumerate(zip(left, rows, strict=True)):
        y = LABEL + row * (height + GAP)
        draw.text((2, y + height // 2 - 6), name, fill="black")
        for column, picture in enumerate(pictures):
            sheet.paste(to_pil(picture), (margin + column * (width + GAP), y))
    return sheet


def main(seed: int) -> None:
    """Paint and write the sheet, a row at a time so that a long run shows something early."""
    rows: list[list[torch.Tensor]] = []
    for number, style in enumerate(STYLES):
        prompts = [f"{subject} | {style}" for subject in SUBJECTS]
        rows.append([from_pil(phosphene.imagine(p, seed=seed).image) for p in prompts])
        path = PICTURES / "vqgan-clip-sheet.png"
        labelled(rows, STYLES[: number + 1], SUBJECTS).save(path, optimize=True)
        sys.stdout.write(f"{style}: {path}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
