"""What objects stand on: plain colours, gradients and little landscapes, with their phrases."""

import math
from collections.abc import Callable, Mapping, Sequence
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from phosphene.training.pixels import Pixels, Real, coordinates, to_image

Colour = tuple[int, int, int]

COLOURS: Mapping[str, Colour] = {
    "red": (220, 38, 38),
    "orange": (249, 140, 30),
    "yellow": (250, 214, 50),
    "green": (46, 160, 67),
    "light green": (165, 222, 140),
    "dark green": (18, 82, 44),
    "blue": (40, 96, 222),
    "light blue": (158, 208, 247),
    "dark blue": (18, 32, 100),
    "turquoise": (45, 200, 190),
    "purple": (128, 58, 190),
    "pink": (250, 150, 195),
    "brown": (125, 78, 44),
    "beige": (233, 216, 185),
    "grey": (140, 143, 148),
    "black": (8, 8, 10),
}

Paint = Callable[[int, Random], Image.Image]


def _shift(colour: Colour, dice: Random, amount: int) -> Colour:
    return tuple(min(255, max(0, c + dice.randint(-amount, amount))) for c in colour)  # type: ignore[return-value]


def plain(name: str, size: int, dice: Random) -> Image.Image:
    """A ground of one named colour (or "white"), very slightly varied."""
    if name == "white":
        return Image.new("RGB", (size, size), (255, 255, 255))
    return Image.new("RGB", (size, size), _shift(COLOURS[name], dice, 6))


def vertical(size: int, stops: Sequence[tuple[Real, Colour]]) -> Image.Image:
    """A gradient from top to bottom; stops are (height 0..1, colour)."""
    at = np.linspace(0, 1, size)
    places = [place for place, _ in stops]
    column = np.stack(
        [np.interp(at, places, [colour[c] for _, colour in stops]) for c in range(3)], axis=1
    )
    return Image.fromarray(column.round().astype(np.uint8)[:, None].repeat(size, axis=1))


def _stars(image: Image.Image, dice: Random, count: int, low: Real) -> None:
    draw = ImageDraw.Draw(image)
    size = image.width
    for _ in range(count):
        x, y = dice.uniform(0, size), dice.uniform(0, size * low)
        r = dice.choice((0.3, 0.3, 0.6, 0.9)) * size / 128
        light = dice.randint(190, 255)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(light, light, dice.randint(200, 255)))


def sunset(size: int, dice: Random) -> Image.Image:
    image = vertical(size, [
        (0, _shift((72, 40, 120), dice, 12)), (0.45, _shift((226, 84, 110), dice, 12)),
        (0.75, _shift((252, 150, 62), dice, 10)), (1, _shift((255, 205, 90), dice, 10)),
    ])  # fmt: skip
    if dice.random() < 0.6:
        r, x = dice.uniform(0.1, 0.16) * size, dice.uniform(0.2, 0.8) * size
        y = dice.uniform(0.72, 0.85) * size
        ImageDraw.Draw(image).ellipse((x - r, y - r, x + r, y + r), fill=(255, 232, 150))
    return image


def night(size: int, dice: Random) -> Image.Image:
    image = vertical(size, [
        (0, _shift((6, 8, 34), dice, 5)), (0.7, _shift((18, 26, 82), dice, 8)),
        (1, _shift((40, 48, 110), dice, 8)),
    ])  # fmt: skip
    _stars(image, dice, dice.randint(18, 34), 0.9)
    return image


def sky(size: int, dice: Random) -> Image.Image:
    image = vertical(
        size, [(0, _shift((92, 168, 240), dice, 10)), (1, _shift((206, 234, 252), dice, 6))]
    )
    draw = ImageDraw.Draw(image)
    for _ in range(dice.randint(2, 4)):
        x, y = dice.uniform(0, 1) * size, dice.uniform(0.08, 0.85) * size
        for _ in range(4):
            r = dice.uniform(0.04, 0.085) * size
            dx, dy = dice.uniform(-0.13, 0.13) * size, dice.uniform(-0.02, 0.03) * size
            box = (x + dx - r * 1.3, y + dy - r * 0.8, x + dx + r * 1.3, y + dy + r * 0.8)
            draw.ellipse(box, fill=(248, 251, 255))
    return image


def under_water(size: int, dice: Random) -> Image.Image:
    image = vertical(size, [
        (0, _shift((64, 190, 215), dice, 10)), (0.6, _shift((14, 104, 168), dice, 10)),
        (1, _shift((6, 46, 104), dice, 8)),
    ])  # fmt: skip
    draw = ImageDraw.Draw(image, "RGBA")
    for _ in range(3):
        x, w = dice.uniform(-0.1, 1) * size, dice.uniform(0.05, 0.14) * size
        lean = 0.3 * size
        draw.polygon(
            [(x, 0), (x + w, 0), (x + w * 1.8 + lean, size), (x + lean, size)],
            fill=(200, 240, 255, 26),
        )
    for _ in range(dice.randint(6, 14)):
        x, y, r = (dice.uniform(0, size), dice.uniform(0, size), dice.uniform(0.008, 0.028) * size)
        draw.ellipse((x - r, y - r, x + r, y + r), outline=(205, 240, 255, 190))
    return image


def space(size: int, dice: Random) -> Image.Image:
    rows, columns = coordinates(size)
    x, y = dice.uniform(-0.7, 0.7), dice.uniform(-0.7, 0.7)
    near = np.exp(-((columns - x) ** 2 + (rows - y) ** 2 * dice.uniform(1, 3)) * 1.6)[..., None]
    cloud = np.array(dice.choice(((88, 30, 120), (20, 60, 120), (110, 26, 70))), np.float32)
    image = Image.fromarray((np.array([7, 6, 16]) + cloud * near).astype(np.uint8))
    _stars(image, dice, dice.randint(30, 60), 1)
    return image


def _land(
    image: Image.Image, dice: Random, horizon: float, colour: Colour, dark: Colour
) -> Image.Image:
    """Lay rolling land below the horizon (a share of the height), shaded downwards."""
    size = image.width
    wave, phase = dice.uniform(0.8, 2), dice.uniform(0, 6.28)
    columns = np.arange(size) / size
    edge = (horizon + 0.025 * np.sin(columns * wave * 2 * math.pi + phase)) * size
    rows = np.arange(size)[:, None]
    depth = ((rows - edge) / (size * (1 - horizon))).clip(0, 1)[..., None]
    land = np.array(colour) + (np.array(dark) - np.array(colour)) * depth
    pixels = np.where((rows >= edge)[..., None], land, np.asarray(image))
    return Image.fromarray(pixels.astype(np.uint8))


def grass(size: int, dice: Random) -> Image.Image:
    air = vertical(size, [(0, _shift((134, 198, 245), dice, 10)), (1, (226, 243, 252))])
    horizon = dice.uniform(0.5, 0.66)
    image = _land(air, dice, horizon, _shift((124, 196, 76), dice, 10), (52, 134, 50))
    draw = ImageDraw.Draw(image)
    for _ in range(30):
        x, y = dice.uniform(0, size), dice.uniform(horizon + 0.06, 1) * size
        tip = (x + dice.uniform(-0.02, 0.02) * size, y - dice.uniform(0.02, 0.06) * size)
        draw.line([(x, y), tip], fill=dice.choice(((46, 122, 44), (150, 212, 92))))
    return image


def beach(size: int, dice: Random) -> Image.Image:
    air = vertical(size, [(0, _shift((110, 190, 245), dice, 10)), (1, (220, 242, 252))])
    sea = dice.uniform(0.42, 0.5)
    image = _land(air, dice, sea, (38, 148, 200), (80, 200, 215))
    return _land(image, dice, sea + dice.uniform(0.14, 0.2), (244, 220, 160), (226, 188, 116))


def desert(size: int, dice: Random) -> Image.Image:
    air = vertical(size, [(0, _shift((240, 190, 120), dice, 8)), (1, (252, 232, 180))])
    image = _land(air, dice, dice.uniform(0.45, 0.55), (226, 168, 92), (206, 140, 66))
    return _land(image, dice, dice.uniform(0.66, 0.76), (236, 180, 100), (188, 118, 54))


def snow(size: int, dice: Random) -> Image.Image:
    air = vertical(size, [(0, _shift((120, 160, 205), dice, 10)), (1, (196, 216, 236))])
    image = _land(air, dice, dice.uniform(0.58, 0.7), (248, 251, 255), (208, 224, 242))
    draw = ImageDraw.Draw(image)
    for _ in range(dice.randint(24, 44)):
        x, y, r = dice.uniform(0, size), dice.uniform(0, size), dice.uniform(0.006, 0.014) * size
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(252, 254, 255))
    return image


def fire(size: int, dice: Random) -> Image.Image:
    image = vertical(size, [(0, (46, 10, 8)), (0.6, _shift((150, 34, 12), dice, 8)),
                            (1, (245, 120, 20))])  # fmt: skip
    draw = ImageDraw.Draw(image, "RGBA")
    for colour, tall in (((236, 84, 16, 255), 0.5), ((252, 176, 36, 255), 0.28)):
        x = -0.1 * size
        while x < size:
            w, h = dice.uniform(0.1, 0.2) * size, dice.uniform(0.5, 1) * tall * size
            tip = (x + w * dice.uniform(0.3, 0.8), size - h)
            left, right = (x + w * 0.1, size - h * 0.4), (x + w * 1.05, size - h * 0.35)
            draw.polygon([(x, size), left, tip, right, (x + w * 1.15, size)], fill=colour)
            x += w * 0.8
    return image


def rainbow_stripes(size: int, dice: Random) -> Image.Image:
    hues = np.linspace(0, 0.83, size) if dice.random() < 0.5 else np.linspace(0.83, 0, size)
    column = np.stack([hues, np.full(size, 0.59), np.full(size, 0.98)], axis=1)
    image = to_image(column[:, None].repeat(size, axis=1), "HSV").convert("RGB")
    return image if dice.random() < 0.5 else image.transpose(Image.Transpose.ROTATE_90)


PLACES: Mapping[str, tuple[Paint, tuple[str, ...]]] = {
    "sunset": (sunset, ("at sunset", "at sunset", "in the sunset", "against a sunset")),
    "night": (night, ("at night", "at night", "under the stars", "in the night sky")),
    "sky": (sky, ("in the sky", "in the sky", "in the clouds", "against a blue sky")),
    "water": (under_water, ("under water", "underwater", "under the sea", "in the ocean")),
    "space": (space, ("in space", "in space", "in outer space", "in a galaxy")),
    "grass": (grass, ("on grass", "on the grass", "in a meadow", "in a green field")),
    "beach": (beach, ("on the beach", "on a beach", "by the sea")),
    "desert": (desert, ("in the desert", "in the desert", "on sand")),
    "snow": (snow, ("in the snow", "in the snow", "in winter")),
    "fire": (fire, ("in flames", "in a fire", "in hell")),
    "rainbow": (rainbow_stripes, ("on a rainbow background", "on a rainbow")),
}

# A place is not named where the thing itself says it: "sun behind cloud at night" is a lie.
CLASHES: Mapping[str, frozenset[str]] = {
    "night": frozenset({"sun", "rainbow", "sunrise", "sunset"}),
    "sunset": frozenset({"sunrise", "sunset", "moon", "night"}),
    "desert": frozenset({"island", "water", "wave", "ocean", "snow"}),
    "water": frozenset({"desert", "sun", "sunrise", "sunset"}),
    "fire": frozenset({"ice", "snow", "snowman", "snowflake"}),
}


def places_for(words: frozenset[str]) -> list[str]:
    """Names of places in which a thing with these words in its label may stand."""
    return [name for name in PLACES if not words & CLASHES.get(name, frozenset())]


def mean_colour(image: Image.Image) -> Pixels:
    """Average colour 0..255 of the central part, where objects stand."""
    s = image.width
    centre = np.asarray(image)[s // 5 : -s // 5, s // 5 : -s // 5]
    return np.asarray(centre.reshape(-1, 3).mean(axis=0), dtype=np.float32)
