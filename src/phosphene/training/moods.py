"""Filters that imitate light and lenses: neon, film, game engines, the incantations of prompts.

Each takes a picture (see `pixels`) and dice, and returns a picture of the same shape.
"""

from random import Random

import numpy as np

from phosphene.training.pixels import (
    Pixels,
    blur,
    contrast,
    coordinates,
    edges,
    gradient_map,
    grey,
    kuwahara,
    mix,
    noise,
    outside,
    radius_map,
    saturate,
    smoothstep,
    vignette,
)


def _vivid(x: Pixels) -> Pixels:
    """The pure hue of each pixel; greys become white."""
    low, high = x.min(axis=2, keepdims=True), x.max(axis=2, keepdims=True)
    spread = high - low
    hue = (x - low) / np.maximum(spread, 1e-3)
    return mix(np.ones_like(x), hue.astype(np.float32), (spread * 4).clip(0, 1))


def neon(x: Pixels, dice: Random) -> Pixels:
    """Glowing tubes along the outlines, on near black."""
    unit = x.shape[0] / 128
    tube = smoothstep(edges(blur(x, 0.6 * unit)), 0.08, 0.3)
    palette = np.array([[1, 0.15, 0.75], [0.1, 0.95, 1], [0.55, 0.3, 1], [0.2, 1, 0.4]])
    lamp = palette[dice.randrange(4)].astype(np.float32)
    hue = _vivid(blur(x, 1.5 * unit))
    pale = hue.min(axis=2, keepdims=True)
    hue = mix(hue, np.broadcast_to(lamp, x.shape), pale)
    light = tube[..., None] * hue
    glow = blur(light, 2 * unit) * 1.2 + blur(light, 6 * unit) * 1.3
    core = (tube**2)[..., None] * 0.45
    night = np.array([0.03, 0.01, 0.07], dtype=np.float32)
    return (night + 0.04 * x + light * 0.8 + glow + core).clip(0, 1)


def cyberpunk(x: Pixels, dice: Random) -> Pixels:
    """A wet night lit magenta from one side and cyan from the other."""
    size = x.shape[0]
    unit = size / 128
    _, columns = coordinates(size)
    side = (columns * dice.choice((-1, 1)) * 0.5 + 0.5)[..., None]
    magenta = np.array([1.0, 0.12, 0.72], dtype=np.float32)
    cyan = np.array([0.05, 0.85, 1.0], dtype=np.float32)
    light = magenta + (cyan - magenta) * smoothstep(side, 0.2, 0.8)
    colour = (x.max(axis=2) - x.min(axis=2))[..., None]
    body = contrast(x, 1.3, 0.6) * (0.25 + 0.6 * colour) * (0.35 + 0.9 * light)
    rim = smoothstep(edges(x), 0.08, 0.35)[..., None] * light
    rain = 1 - 0.22 * (np.arange(size) % max(2, round(3 * unit)) == 0)[:, None, None]
    haze = gradient_map(
        (np.arange(size, dtype=np.float32) / size)[:, None].repeat(size, 1),
        [(0, (0.06, 0.02, 0.16)), (0.6, (0.2, 0.03, 0.3)), (1, (0.02, 0.1, 0.2))],
    )
    wet: Pixels = ((haze + body + rim + blur(rim, 4 * unit) * 1.2) * rain).clip(0, 1)
    return wet


def vintage_photo(x: Pixels, dice: Random) -> Pixels:
    """Sepia, faded, grainy, dark corners, a pale border."""
    size = x.shape[0]
    unit = size / 128
    tone = contrast(blur(grey(x), 0.6 * unit), 1.05) * (1 - 0.5 * radius_map(size) ** 2)
    tone = tone + 0.05 * noise(size, dice, scale=0.5) + 0.06 * noise(size, dice, scale=9 * unit)
    sepia = gradient_map(
        tone, [(0, (0.2, 0.12, 0.07)), (0.5, (0.62, 0.46, 0.3)), (1, (0.96, 0.86, 0.67))]
    )
    border = max(2, round(dice.uniform(5, 7) * unit))
    frame = np.ones((size, size), dtype=np.float32)
    frame[border:-border, border:-border] = 0
    return mix(
        sepia, np.broadcast_to(np.array([0.95, 0.91, 0.82], dtype=np.float32), x.shape), frame
    ).clip(0, 1)


def unreal_engine(x: Pixels, dice: Random) -> Pixels:
    """Dramatic light: a cold spot in a dark hall, bloom, a mirroring floor."""
    size = x.shape[0]
    unit = size / 128
    rows, columns = coordinates(size)
    lamp = dice.uniform(-0.35, 0.35)
    spot = np.exp(-(((columns - lamp) / 0.75) ** 2 + ((rows + 0.15) / 0.85) ** 2))
    hall = np.array([0.3, 0.37, 0.46], dtype=np.float32)
    lit = mix(x * 0.92, np.broadcast_to(hall, x.shape), outside(x))
    lit = contrast(saturate(lit, 1.3), 1.35, 0.45) * (0.2 + 0.85 * spot[..., None])
    floor = smoothstep(rows, 0.62, 0.7)
    mirror = blur(lit[::-1], 1.5 * unit)
    mirror = np.roll(mirror, round(size * 0.62), axis=0) * 0.45
    lit = mix(lit, lit * 0.4 + mirror * 0.6, floor)
    bloom = blur(smoothstep(lit, 0.65, 1.0) * lit, 4 * unit) * 0.6
    return (lit + bloom * np.array([0.7, 0.8, 1.0], dtype=np.float32)).clip(0, 1)


def artstation(x: Pixels, dice: Random) -> Pixels:
    """Concept art: broad dabs, teal shadows, orange light, an atmospheric ground."""
    size = x.shape[0]
    unit = size / 128
    rows, columns = coordinates(size)
    painted = kuwahara(x, max(1, round(3 * unit)))
    sun = dice.choice((-0.5, 0.5))
    far = np.sqrt((columns - sun) ** 2 + (rows + 0.4) ** 2) / 1.9
    far = far + 0.28 * noise(size, dice, scale=5 * unit, stretch=max(1, round(24 * unit)))
    air = gradient_map(
        far,
        [(0, (1, 0.86, 0.5)), (0.35, (0.95, 0.55, 0.25)), (0.7, (0.1, 0.45, 0.5)),
         (1, (0.02, 0.18, 0.25))],
    )  # fmt: skip
    tone = grey(painted)[..., None]
    teal = np.array([0.0, 0.32, 0.4], dtype=np.float32)
    amber = np.array([1.0, 0.72, 0.38], dtype=np.float32)
    graded = mix(painted, teal + (amber - teal) * tone, 0.38)
    graded = saturate(contrast(graded, 1.25), 1.35)
    return vignette(mix(graded, air, outside(x)), 0.45).clip(0, 1)


def vaporwave(x: Pixels, dice: Random) -> Pixels:
    """Pink and turquoise duotone above a glowing grid."""
    size = x.shape[0]
    rows, columns = coordinates(size)
    tone = contrast(grey(x), 1.2)
    duotone = gradient_map(
        tone, [(0, (0.2, 0.03, 0.42)), (0.45, (0.98, 0.25, 0.7)), (1, (0.72, 0.96, 1.0))]
    )
    dusk = gradient_map(
        (rows + 1) / 2, [(0, (0.3, 0.75, 0.95)), (0.5, (1.0, 0.6, 0.85)), (1, (0.4, 0.1, 0.55))]
    )
    paper = outside(x)
    out = mix(mix(duotone, x, 0.18), dusk, paper)
    depth = (rows - 0.35).clip(1e-3, None)
    lanes = np.abs(((columns / depth) * 0.9 + dice.random()) % 1 - 0.5)
    rungs = np.abs((1.1 / (depth + 0.08) + dice.random()) % 1 - 0.5)
    lines = np.maximum(smoothstep(lanes, 0.4, 0.49), smoothstep(rungs, 0.36, 0.48))
    ground = smoothstep(rows, 0.36, 0.4) * np.maximum(paper, 0.12)
    out = mix(
        out, np.broadcast_to(np.array([0.16, 0.02, 0.3], dtype=np.float32), x.shape), ground * 0.85
    )
    return mix(
        out, np.broadcast_to(np.array([0.2, 1.0, 0.95], dtype=np.float32), x.shape), ground * lines
    )
