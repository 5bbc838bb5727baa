"""Which models a page can offer: those whose weights are here."""

from pathlib import Path

from phosphene.studio.recipes.imagine import OWN_MODELS
from phosphene.zoo.card import Card
from phosphene.zoo.fetch import is_here
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
