"""Whom a picture of the gallery descends from, with the pictures of all that hang there.

A child's recipe has its whole family, by names; the gallery knows which pictures a recipe named.
Imports no torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phosphene.core.errors import NotFound, RecipeError
from phosphene.studio.entry import Entry
from phosphene.studio.gallery import Gallery

MAX_LOOKED_AT = 200  # pictures, for one family
DEPTH = 3  # generations above


@dataclass(frozen=True, slots=True)
class Relative:
    """Somebody in a line.

    Args:
        operator: How it came to be, as in `explore.family_tree`; empty for a picture that is not
            one individual.
        amount: The operator's share or strength, 0 to 1.
        mutation: How far it was turned afterwards, 0 to 1.
        model: The generator.
        picture: Id in the gallery; empty if it does not hang there.
        parents: First and second; none where the line ends, or is cut off.
        has_more: Whether parents were cut off.
    """

    name: str
    operator: str
    seed: int
    amount: float
    mutation: float
    model: str
    picture: str = ""
    has_classes: bool = False
    parents: tuple["Relative", ...] = ()
    has_more: bool = False


def line_of(gallery: Gallery, picture: str, depth: int = DEPTH) -> Relative:
    """A picture with its parents, and theirs, up to so many generations above it.

    Raises:
        NotFound: no such picture.
        RecipeError: its family tree is damaged.
    """
    entry = gallery.get(picture)
    members, name = _family(entry), name_of(entry)
    if name not in members:
        return Relative(name, _operator(entry), _seed(entry), 0.0, 0.0, entry.model, picture)
    hung = {**_hung(gallery, picture, set(members)), name: picture}
    try:
        return _relative(members, name, entry.model, hung, depth)
    except (TypeError, ValueError, OverflowError):  # it may have been brought in by a stranger
        raise RecipeError("the family tree in this picture is damaged") from None


def name_of(entry: Entry) -> str:
    """What an individual is called in family trees; empty for what is not one individual."""
    if entry.kind == "breed":
        born, number = entry.recipe.get("born") or [], (entry.manifest or {}).get("index", 0)
        alone = entry.recipe.get("layout") == "files" and 0 <= number < len(born)
        return str(born[number]) if alone else ""
    if entry.kind == "sample" and entry.recipe.get("layout", "files") == "files":
        classes = entry.recipe.get("classes") or []
        number = (entry.manifest or {}).get("index", 0)
        return f"{entry.seed} {classes[number % len(classes)]}" if classes else entry.seed
    return ""


def _relative(
    members: Mapping[str, Mapping[str, Any]],
    name: str,
    model: str,
    hung: Mapping[str, str],
    depth: int,
) -> Relative:
    member = members[name]
    parents = [str(parent) for parent in member.get("parents", []) if parent in members]
    above = tuple(_relative(members, p, model, hung, depth - 1) for p in parents) if depth else ()
    return Relative(
        name,
        str(member.get("operator", "seed")),
        int(member.get("seed", 0)),
        float(member.get("amount", 0.5)),
        float(member.get("mutation", 0.0)),
        model,
        hung.get(name, "") or hung.get(str(member.get("found") or "-"), ""),
        bool(member.get("classes")),
        above,
        bool(parents) and not depth,
    )


def _family(entry: Entry) -> dict[str, dict[str, Any]]:
    """The members of a child's tree, by name."""
    family = entry.recipe.get("family")
    members = family.get("members") if isinstance(family, dict) else None
    if not isinstance(members, list):
        return {}
    return {str(m["id"]): m for m in members if isinstance(m, dict) and "id" in m}


def _hung(gallery: Gallery, picture: str, names: set[str]) -> dict[str, str]:
    """Pictures of the ancestors, by name; of those that were found, by their genes."""
    found: dict[str, str] = {}
    waiting, seen = [picture], {picture}
    while waiting and len(seen) < MAX_LOOKED_AT:
        for parent in gallery.kin(waiting.pop(0)).parents:
            if parent in seen:
                continue
            seen.add(parent)
            try:
                entry = gallery.get(parent)
            except NotFound:  # deleted for ever
                continue
            if entry.binned is None and not entry.lost:
                name = name_of(entry)
                found[name if name in names else entry.genes or name] = parent
            waiting.append(parent)
    return found


def _operator(entry: Entry) -> str:
    if entry.kind == "sample" and name_of(entry):
        return "seed"
    return "found" if entry.genes and entry.kind != "breed" else ""


def _seed(entry: Entry) -> int:
    return int(entry.seed) if entry.seed.isdigit() else 0
