"""What taste is learnt from: starred pictures of a generator, and those that were only seen."""

from collections.abc import Iterable
from typing import NamedTuple

from phosphene.studio.entry import Entry
from phosphene.studio.gallery import Search
from phosphene.studio.lineage import name_of
from phosphene.studio.references import PREFIX
from phosphene.web.house import House

MAX_LIKED, MAX_OTHERS = 48, 96  # the newest
CHANGED = ("classes", "truncation_psi", "truncation_threshold", "truncation_scale")


class Seen(NamedTuple):
    """Pictures by the names that a recipe takes: seeds, or `artifact:ID`.

    Args:
        liked: Starred ones, the newest first.
        others: Seen, and not starred.
        hung: Ids of those that hang in the gallery, starred or not, by these names.
    """

    liked: list[str]
    others: list[str]
    hung: dict[str, str]

    def without(self, dreams: Iterable[str]) -> "Seen":
        """The same with further pictures that were seen; those that are liked stay so."""
        more = [seed for seed in dreams if seed not in self.liked and seed not in self.others]
        return self._replace(others=[*more, *self.others][:MAX_OTHERS])


def seen_of(house: House, model: str, space: str) -> Seen:
    """Look through the gallery.

    Args:
        space: Where children are bred: those of another are left out, as are pictures that were
            made with other weights.
    """
    weights = house.weights_of([model]).get(model)
    hung: dict[str, str] = {}

    def names(favourite: bool, limit: int) -> list[str]:
        found = house.studio.gallery.search(Search(model=model, favourite=favourite), limit).entries
        usable = [e for e in found if not e.lost and is_usable(e, model, space, weights)]
        for entry in usable:
            hung.setdefault(called(entry), entry.id)
        return list(dict.fromkeys(called(entry) for entry in usable))

    liked = names(True, MAX_LIKED)
    others = [name for name in names(False, MAX_OTHERS) if name not in liked]
    return Seen(liked, others, hung)


def space_of(house: House, model: str) -> str:
    """Where a generator's children are bred if nobody asks for anything else."""
    card = house.cards().get(model)
    return "w" if card is not None and card.arch.startswith("stylegan") else "z"


def is_usable(entry: Entry, model: str, space: str, weights: str | None) -> bool:
    """Whether a picture is one individual, of these weights, with genes that this space has."""
    made = (entry.manifest or {}).get("models", {}).get(model)
    if not name_of(entry) or weights is None or made != weights:
        return False
    family = entry.recipe.get("family")
    return entry.kind != "breed" or (isinstance(family, dict) and family.get("space") == space)


def called(entry: Entry) -> str:
    """What a recipe calls a picture: a plain sample is its seed."""
    is_plain = entry.kind == "sample" and not any(entry.recipe.get(name) for name in CHANGED)
    return entry.seed if is_plain else PREFIX + entry.id
