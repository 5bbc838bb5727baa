"""Which models a page can offer: those whose weights are here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phosphene.core.errors import PhospheneError
from phosphene.core.header import read_header
from phosphene.studio.recipes.imagine import OWN_MODELS
from phosphene.zoo.card import Card
from phosphene.zoo.carrier import WheelMember
from phosphene.zoo.fetch import is_here, located
from phosphene.zoo.registry import cards

METHODS = {
    "vqgan-clip": "VQGAN+CLIP",
    "gan-clip": "GAN+CLIP",
    "diffusion": "Diffusion",
}
FAMILIES = {"vqgan-clip": "tokens", "gan-clip": "gan", "diffusion": "diffusion"}


def here(home: Path) -> list[Card]:
    """Cards of all models that can be loaded now."""
    return [card for card in cards(home) if is_here(card, home)]


def painters(home: Path) -> dict[str, list[str]]:
    """Models by the method that they paint by; a method without one is left out.

    The method's own model comes first.
    """
    there = here(home)
    found = {}
    for method, family in FAMILIES.items():
        own = OWN_MODELS[method]
        names = [card.name for card in there if card.family == family]
        if names:
            found[method] = sorted(names, key=lambda name: (name != own, name))
    return found


def dreamers(home: Path) -> list[Card]:
    """Generators that draw by themselves, as `sample` takes them."""
    return [card for card in here(home) if card.family == "gan"]


def classes_of(card: Card, home: Path) -> list[str]:
    """What a generator's classes are called, as its weights say: by number where they say nothing.

    None for a model without classes, or one whose file cannot be asked.
    """
    try:
        config = {**_config(card, home), **card.config}
        number = int(config.get("num_classes") or 0)
        names = config.get("class_names") or range(number)
        return [str(name) for name in names]
    except (PhospheneError, OSError, TypeError, ValueError):
        return []


def _config(card: Card, home: Path) -> Mapping[str, Any]:
    place = located(card, home)
    if isinstance(place, WheelMember):
        with place.open() as (file, size):
            return read_header(file, size, card.name).config
    with place.open("rb") as file:
        return read_header(file, place.stat().st_size, card.name).config
