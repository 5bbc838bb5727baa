"""Names become ready models: cards, weights fetched and checked, builders. Imports no torch."""

from phosphene.zoo.card import Card
from phosphene.zoo.registry import card, cards, home
from phosphene.zoo.zoo import Zoo

__all__ = ["Card", "Zoo", "card", "cards", "home"]
