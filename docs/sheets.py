"""Paint sheets of the docs: `python docs/sheets.py [NAME...]`, all of them without a name.

Of docs/families/vqgan.md: styles: eight subjects (columns), plain and in six styles (rows), by
VQGAN+CLIP, and a table of what each style word changed; blank: twelve things from nothing, without
sketches, two seeds; prompts: the fifty of docs/prompts.txt.
Of docs/families/diffusion.md and tokens.md: words, tokens: the eight subjects, and what words make
of them. Of docs/tour.md: methods: the same prompts by diffusion, image tokens, VQGAN+CLIP and
guided diffusion.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor

import phosphene
from phosphene.core.images import from_pil, to_pil
from phosphene.nn.features import FeatureNet
from phosphene.zoo import Zoo

SUBJECTS = ("green heart", "dog face", "red rose", "rocket", "octopus", "house with garden",
            "yellow bird", "sunflower")  # fmt: skip
THINGS = ("green heart", "dog face", "red rose", "red apple", "octopus", "smiling face", "house",
          "rocket", "banana", "penguin", "sunflower", "tree")  # fmt: skip
STYLES = ("3D render", "flat design", "painting", "pencil drawing", "neon", "mosaic")
FORMS = ("purple {}", "small {}", "{} on a black background", "{} in the snow", "{} next to a cat",
         "{} | watercolour", "{} | neon", "{} | pencil drawing", "{} | pixel art")  # fmt: skip
BESIDE = ("green heart | neon", "dog face", "octopus | watercolour", "red apple next to a book",
          "penguin in the snow", "rocket | pencil drawing", "blue butterfly",
          "crab on a beach")  # fmt: skip
DOCS = Path(__file__).parent
PICTURES = DOCS / "pictures"
SEED = 7
GAP, LABEL, MARGIN = 4, 14, 90


def labelled(rows: list[list[Tensor]], left: Sequence[str], top: Sequence[str]) -> Image.Image:
    """A sheet of pictures c h w with the names of its rows and columns."""
    height, width = rows[0][0].shape[-2:]
    size = (MARGIN + len(top) * (width + GAP), LABEL + len(left) * (height + GAP))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column, name in enumerate(top):
        draw.text((MARGIN + column * (width + GAP), 1), name[:22], fill="black")
    for row, (name, pictures) in enumerate(zip(left, rows, strict=True)):
        y = LABEL + row * (height + GAP)
        draw.text((2, y + height // 2 - 6), name, fill="black")
        for column, picture in enumerate(pictures):
            sheet.paste(to_pil(picture), (MARGIN + column * (width + GAP), y))
    return sheet


def captioned(pictures: list[Tensor], captions: Sequence[str], columns: int) -> Image.Image:
    """Pictures c h w in rows, each over its caption."""
    height, width = pictures[0].shape[-2:]
    rows = -(-len(pictures) // columns)
    tall = height + 2 * LABEL
    sheet = Image.new("RGB", (columns * (width + GAP), rows * tall), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = i % columns * (width + GAP), i // columns * tall
        sheet.paste(to_pil(picture), (x, y))
        for line, part in enumerate((caption[:21], caption[21:42])):
            draw.text((x + 1, y + height + line * 12), part.strip(), fill="black")
    return sheet


def paint(prompt: str, seed: int = SEED, **changes: Any) -> Tensor:
    """A picture by VQGAN+CLIP unless said otherwise, c h w; `changes` are fields of the recipe."""
    how = {"method": "vqgan-clip", **changes}
    return from_pil(phosphene.imagine(prompt, seed=seed, **how).image)


def blank() -> None:
    """Paint from white, without sketches: all that is seen comes from the perceptor's gradient."""
    seeds = (SEED, SEED + 1)
    rows = [
        [paint(thing, seed, start="flow", perceptors=["emoji-draw"]) for thing in THINGS]
        for seed in seeds
    ]
    path = PICTURES / "vqgan-clip-blank.png"
    labelled(rows, [f"seed {seed}" for seed in seeds], THINGS).save(path, optimize=True)
    sys.stdout.write(f"from nothing: {path}\n")


def styles() -> None:
    """Paint the sheet a row at a time, so that a long run shows something early."""
    rows, names = [], ("(none)", *STYLES)
    for number, style in enumerate(("", *STYLES)):
        tail = f" | {style}" if style else ""
        rows.append([paint(subject + tail) for subject in SUBJECTS])
        path = PICTURES / "vqgan-clip-sheet.png"
        labelled(rows, names[: number + 1], SUBJECTS).save(path, optimize=True)
        sys.stdout.write(f"{names[number]}: {path}\n")
        sys.stdout.flush()
    changed([torch.stack(row) for row in rows])


def changed(rows: list[Tensor]) -> None:
    """Print, as a table, how pictures with a style word differ from those without.

    Distance is that of EfficientNet-Lite0 features, as a multiple of the distance between two
    seeds of the plain prompt: 1 is what chance does. The rest are changes of the row's mean in
    percent of what it was: lightness, saturation (channels' spread), roughness (neighbours' steps).
    """
    network = Zoo().load("efficientnet-lite0")
    assert isinstance(network, FeatureNet)
    plain = rows[0]
    other = torch.stack([paint(subject, SEED + 1) for subject in SUBJECTS])
    chance = network.distance(plain, other).mean()
    sys.stdout.write(
        "\n| words | distance | lightness | saturation | roughness |\n|---|---|---|---|---|\n"
    )
    for style, row in zip(STYLES, rows[1:], strict=True):
        far = float(network.distance(plain, row).mean() / chance)
        shifts = [
            after / before - 1 for before, after in zip(looks(plain), looks(row), strict=True)
        ]
        cells = " | ".join(f"{100 * shift:+.0f} %" for shift in shifts)
        sys.stdout.write(f"| {style} | {far:.2f} | {cells} |\n")


def looks(images: Tensor) -> tuple[float, float, float]:
    """Mean lightness (0 is black), saturation and roughness of pictures in [-1, 1], from 0 up."""
    spread = images.amax(dim=1) - images.amin(dim=1)
    steps = (images[..., 1:] - images[..., :-1]).abs().mean()
    return float(images.mean() + 1) / 2, float(spread.mean() / 2), float(steps / 2)


def prompts() -> None:
    """Paint the fifty fixed prompts."""
    wanted = (DOCS / "prompts.txt").read_text(encoding="utf-8").splitlines()
    pictures = []
    for number, prompt in enumerate(wanted, start=1):
        pictures.append(paint(prompt))
        if number % 10 == 0:
            path = PICTURES / "vqgan-clip-prompts.png"
            captioned(pictures, wanted[:number], 10).save(path, optimize=True)
            sys.stdout.write(f"{number}: {path}\n")
            sys.stdout.flush()


def words(method: str = "diffusion") -> None:
    """Paint what words make of things, and each thing by three seeds."""
    rows = [
        [paint(form.format(subject), seed, method=method) for subject in SUBJECTS]
        for seed, form in (*((SEED + i, "{}") for i in range(3)), *((SEED, form) for form in FORMS))
    ]
    names = [f"seed {SEED + i}" for i in range(3)] + [form.format("…") for form in FORMS]
    labelled(rows, names, SUBJECTS).save(PICTURES / f"{method}-sheet.png", optimize=True)


def tokens() -> None:
    """Paint the same by image tokens."""
    words("tokens")


def methods() -> None:
    """Paint the same prompts by each method, the same seed."""
    ways = ("diffusion", "tokens", "vqgan-clip", "guided-diffusion")
    rows = [[paint(prompt, method=way) for prompt in BESIDE] for way in ways]
    labelled(rows, ways, BESIDE).save(PICTURES / "methods.png", optimize=True)


SHEETS = {each.__name__: each for each in (blank, styles, prompts, words, tokens, methods)}

if __name__ == "__main__":
    for name in sys.argv[1:] or SHEETS:
        SHEETS[name]()
