"""Filters that imitate a medium made by hand: paint, pencil, ink, tiles and glass.

Each takes a picture (see `pixels`) and dice, and returns a picture of the same shape.
"""

import math
from random import Random

import numpy as np
from PIL import Image

from phosphene.training.pixels import (
    Pixels,
    blur,
    cell_means,
    cells,
    contrast,
    edges,
    from_image,
    gradient_map,
    grey,
    kuwahara,
    mix,
    noise,
    outside,
    radius_map,
    saturate,
    smoothstep,
    to_image,
    turn,
    warp,
)


def painting(x: Pixels, dice: Random) -> Pixels:
    """Oil on canvas: flat dabs, smeared along curling strokes, with ridges of paint."""
    size = x.shape[0]
    unit = size / 128
    canvas = np.array([0.93, 0.88, 0.78], dtype=np.float32)
    x = mix(x, x * canvas, 0.8)
    angle = noise(size, dice, scale=10 * unit) * 4 + dice.uniform(0, 6.28)
    bristle = noise(size, dice, scale=0.7 * unit)
    down, right = np.sin(angle), np.cos(angle)
    x = warp(x, bristle * 3 * unit, noise(size, dice, scale=1.5 * unit) * 3 * unit)
    x = kuwahara(x, max(1, round(2 * unit)))
    strokes = bristle
    for i in (1, 2, 4):
        strokes = strokes + warp(bristle, down * i * unit, right * i * unit)
    relief = strokes - np.roll(strokes, (1, 1), axis=(0, 1))
    x = x * (1 + strokes[..., None] * 0.06) + relief[..., None] * 0.055
    return saturate(x.clip(0, 1), 1.25)


def watercolour(x: Pixels, dice: Random) -> Pixels:
    """Thin washes that bleed, pool at their rims and let the paper through."""
    size = x.shape[0]
    unit = size / 128
    wobble = noise(size, dice, scale=4 * unit) * 3.5 * unit
    x = warp(x, wobble, noise(size, dice, scale=4 * unit) * 3.5 * unit)
    wash = blur(kuwahara(x, max(1, round(2 * unit))), 0.9 * unit)
    pool = edges(blur(wash, 0.8 * unit))
    bloom = noise(size, dice, scale=7 * unit) * 0.5 + noise(size, dice, scale=2.5 * unit) * 0.22
    pale = 1 - (1 - saturate(wash, 1.35)) * (0.72 + 0.5 * bloom)[..., None].clip(0.25, 1.1)
    pale = pale * (1 - 0.55 * pool[..., None])
    fade = smoothstep(radius_map(size) + 0.22 * noise(size, dice, scale=6 * unit), 0.7, 0.92)
    paper = np.array([0.985, 0.975, 0.94], dtype=np.float32)
    grain = 1 + 0.06 * noise(size, dice, scale=0.8)[..., None]
    return (mix(pale, np.ones_like(pale), fade) * paper * grain).clip(0, 1)


def pencil(x: Pixels, dice: Random) -> Pixels:
    """Graphite: outlines and hatching that grows denser with the dark."""
    size = x.shape[0]
    unit = size / 128
    tone = grey(x)
    lines = smoothstep(edges(x), 0.06, 0.3)
    hand = noise(size, dice, scale=3 * unit) * 2
    hatch = 0.5 + 0.5 * np.sin((turn(38, size) + hand) * 2 * math.pi / (3.4 * unit))
    cross = 0.5 + 0.5 * np.sin((turn(-52, size) + hand) * 2 * math.pi / (3.8 * unit))
    shade = smoothstep(1 - tone, 0.12, 0.75) * hatch + smoothstep(1 - tone, 0.5, 0.95) * cross
    grain = 0.75 + 0.5 * noise(size, dice, scale=0.6)
    ink = (lines * 0.85 + shade * 0.5 * grain).clip(0, 0.9)
    paper = np.array([0.97, 0.965, 0.95], dtype=np.float32)
    lead = np.array([0.2, 0.2, 0.23], dtype=np.float32)
    return mix(np.broadcast_to(paper, x.shape), np.broadcast_to(lead, x.shape), ink)


def charcoal(x: Pixels, dice: Random) -> Pixels:
    """Soft black stick on rough buff paper: smudged tone, broad dark rims."""
    size = x.shape[0]
    unit = size / 128
    tone = blur(grey(x), 1.2 * unit)
    rims = smoothstep(blur(edges(x), 1.1 * unit), 0.03, 0.22)
    tooth = noise(size, dice, scale=0.7 * unit)
    smudge = noise(size, dice, scale=1.5 * unit, stretch=max(1, round(9 * unit)))
    ink = smoothstep(1 - tone, 0.05, 0.85) * 0.9 + rims * 0.75 + smudge * 0.12
    ink = smoothstep(ink + tooth * 0.32, 0.12, 0.85)
    paper = np.array([0.83, 0.77, 0.67], dtype=np.float32) * (1 + 0.05 * tooth[..., None])
    return mix(paper.clip(0, 1), np.full_like(x, 0.07), ink * 0.96)


def pixel_art(x: Pixels, dice: Random) -> Pixels:
    """Few fat pixels from a small palette."""
    size = x.shape[0]
    across = min(size, dice.choice((20, 24, 28)))
    small = to_image(saturate(contrast(x, 1.1), 1.2)).resize((across, across), Image.Resampling.BOX)
    flat = small.quantize(dice.choice((8, 12)), dither=Image.Dither.NONE).convert("RGB")
    return from_image(flat.resize((size, size), Image.Resampling.NEAREST))


def mosaic(x: Pixels, dice: Random) -> Pixels:
    """Small stones in pale grout, each a little lighter or darker than its neighbour."""
    size = x.shape[0]
    unit = size / 128
    variant = dice.randrange(6)
    labels, inwards = cells(size, dice.choice((19, 22)), variant, 0.55)
    tiles, count = cell_means(x, labels)
    glaze = noise(64, dice).ravel()[np.arange(count) % 4096][labels]
    tiles = saturate(tiles * (0.94 + 0.14 * glaze[..., None]), 1.4)
    bevel = smoothstep(inwards, 0.4 * unit, 1.8 * unit)[..., None]
    grout = np.array([0.36, 0.33, 0.31], dtype=np.float32)
    stone = tiles * (0.82 + 0.18 * bevel)
    return mix(
        np.broadcast_to(grout, x.shape), stone, smoothstep(inwards, 0.2 * unit, 0.75 * unit)
    ).clip(0, 1)


def stained_glass(x: Pixels, dice: Random) -> Pixels:
    """Glowing panes between dark leads; the leads also follow the outlines."""
    size = x.shape[0]
    unit = size / 128
    labels, inwards = cells(size, 7, dice.randrange(6), 1.0)
    panes, count = cell_means(x, labels)
    tint = noise(64, dice).ravel()[np.arange(count) % 4096][labels][..., None]
    tinted = np.concatenate([0.86 + 0.2 * tint, 0.9 + 0.05 * tint, 0.78 - 0.3 * tint], axis=2)
    calm = kuwahara(x, max(1, round(2 * unit)))
    glass = saturate(mix(panes, calm, 0.75), 1.7)
    paper = outside(x)
    glass = mix(glass, tinted.astype(np.float32), paper * 0.9)
    glow = 1.12 - 0.5 * radius_map(size)[..., None] + 0.08 * noise(size, dice, 2 * unit)[..., None]
    leads = smoothstep(inwards, 0.6 * unit, 1.3 * unit)
    vivid = smoothstep(x.max(axis=2) - x.min(axis=2), 0.15, 0.5)
    leads = 1 - (1 - leads) * (1 - 0.45 * vivid)  # faint inside the figure, lest it dissolves
    outline = smoothstep(blur(edges(calm), 0.8 * unit), 0.12, 0.24)
    return (glass * glow * (leads * (1 - outline))[..., None] + 0.03).clip(0, 1)


def comic(x: Pixels, dice: Random) -> Pixels:
    """Ink outlines, few flat bright colours and halftone dots in the shade."""
    size = x.shape[0]
    unit = size / 128
    flat = kuwahara(x, max(1, round(2 * unit)))
    flat = saturate((np.floor(flat * 4.999) / 4).astype(np.float32), 1.5)
    pitch = 5.2 * unit
    phase = dice.uniform(0, 6.28)
    dots = np.cos(turn(45, size) * 2 * math.pi / pitch + phase)
    dots = dots * np.cos(turn(-45, size) * 2 * math.pi / pitch)
    shade = blur(1 - grey(x), 1.5 * unit) * 0.9 + 0.16
    inked = smoothstep((dots * 0.5 + 0.5) - (1 - shade), -0.06, 0.06)
    dotted = mix(flat, flat * np.array([0.62, 0.66, 0.8], dtype=np.float32), inked)
    outline = smoothstep(blur(edges(x), 0.7 * unit), 0.1, 0.2)
    return mix(dotted, np.zeros_like(x), outline)


def woodcut(x: Pixels, dice: Random) -> Pixels:
    """Black on cream, tone carved as wavering lines of varying width."""
    size = x.shape[0]
    unit = size / 128
    tone = contrast(blur(grey(x), 0.8 * unit), 1.3, 0.55)
    sway = noise(size, dice, scale=8 * unit) * 7 * unit
    grooves = np.sin((turn(dice.choice((75, 90, 105)), size) + sway) * 2 * math.pi / (4.6 * unit))
    inked = smoothstep(grooves * 0.46 + 0.53 - tone, -0.08, 0.08)
    outline = smoothstep(blur(edges(x), 0.8 * unit), 0.07, 0.15)
    ink = np.maximum(inked, outline)
    cream = np.array([0.94, 0.88, 0.74], dtype=np.float32)
    black = np.array([0.1, 0.07, 0.06], dtype=np.float32)
    return mix(np.broadcast_to(cream, x.shape), np.broadcast_to(black, x.shape), ink)


def line_art(x: Pixels, dice: Random) -> Pixels:
    """Black outlines on white and nothing else."""
    unit = x.shape[0] / 128
    calm = kuwahara(x, max(1, round(1.5 * unit)))
    lines = smoothstep(blur(edges(calm), 0.5 * unit), 0.09, dice.uniform(0.2, 0.28))
    return np.repeat(1 - lines[..., None] * 0.97, 3, axis=2).astype(np.float32)


def blueprint(x: Pixels, dice: Random) -> Pixels:
    """White outlines on blue paper with a fine grid."""
    size = x.shape[0]
    unit = size / 128
    lines = smoothstep(edges(x), 0.07, 0.3)
    pitch = max(4, round(12 * unit))
    ruled = np.zeros((size, size), dtype=np.float32)
    start = dice.randrange(pitch)
    ruled[start::pitch] = ruled[:, start::pitch] = 0.2
    paper = gradient_map(
        0.5 + noise(size, dice, scale=6 * unit) * 0.3,
        [(0.0, (0.05, 0.2, 0.5)), (1.0, (0.1, 0.32, 0.68))],
    )
    return mix(paper, np.ones_like(x), np.maximum(ruled, lines * 0.95))
