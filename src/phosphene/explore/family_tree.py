"""A family tree as data: who descends from whom, and by which operator.

The tree keeps how each individual came to be (a seed, two parents and an operator), not its
tensors. So it is small JSON, both parents are always known, and the whole tree can be grown again
on another model, at another psi or in another size: see `Nursery`. Only those that were found, by
inversion or by words, bring their genes with them: these belong to one model.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from torch import Tensor

from phosphene.core.errors import RecipeError, did_you_mean
from phosphene.core.rng import MAX_SEED, Rng
from phosphene.explore import breed
from phosphene.explore.breed import Genes

VERSION = 1
MAX_MEMBERS = 100_000
PARENTS = {
    "seed": 0,
    "found": 0,
    "mutate": 1,
    "mutate-classes": 1,
    "cross": 2,
    "blend": 2,
    "cross-classes": 2,
}
SPACES = ("z", "w", "w_plus")

Founder = Callable[[int, Mapping[str, float]], Genes]
"""Genes of a seed with class weights by name, on some model."""

Finder = Callable[[str], Genes]
"""Genes of one that was found, from its text, on the model that it was found in."""


@dataclass(frozen=True, slots=True)
class Individual:
    """One member of a tree.

    Args:
        id: Unique within the tree.
        operator: How it came to be: a key of `PARENTS`.
        seed: Of the founder, or of what the operator draws.
        parents: Their ids, first and second.
        amount: The operator's share or strength, 0 to 1; a founder has none.
        classes: Of a founder, weights by name; none lets its seed draw one.
        starred: Marked by a person.
        mutation: How far it is turned, afterwards, towards a stranger of its seed, 0 to 1; of
            crossed classes, the share of a class drawn by the seed.
        found: The genes of one that was found, as `genes_text` writes them.
    Raises:
        RecipeError: an unknown operator, too few or too many parents, values out of range.
    """

    id: str
    operator: str = "seed"
    seed: int = 0
    parents: tuple[str, ...] = ()
    amount: float = 0.5
    classes: tuple[tuple[str, float], ...] = ()
    starred: bool = False
    mutation: float = 0.0
    found: str = ""

    def __post_init__(self) -> None:
        if not 0 < len(self.id) <= 200:
            raise RecipeError(f"an id of {len(self.id)} characters; use 1 to 200")
        if self.operator not in PARENTS:
            hint = did_you_mean(self.operator, PARENTS)
            raise RecipeError(f"unknown operator {self.operator[:40]!r}{hint}; known: {_known()}")
        if len(self.parents) != PARENTS[self.operator]:
            raise RecipeError(
                f"{self.id!r} has {len(self.parents)} parents; {self.operator} takes "
                f"{PARENTS[self.operator]}"
            )
        if not 0 <= self.seed <= MAX_SEED:
            raise RecipeError(f"{self.id!r} has seed {self.seed}; use 0 to {MAX_SEED}")
        for name in ("amount", "mutation"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"{self.id!r} has {name} {getattr(self, name)}; use 0 to 1")
        if bool(self.found) != (self.operator == "found"):
            raise RecipeError(f"{self.id!r}: those that were found, and only they, have genes")
        if not all(math.isfinite(weight) for _, weight in self.classes):
            raise RecipeError(f"{self.id!r} has a class weight that is no finite number")


@dataclass(frozen=True, slots=True)
class FamilyTree:
    """Individuals, parents before children. Adding one gives a new tree: undo is keeping the old.

    Args:
        model: Name of the model that the tree was grown on.
        space: That the genes are in: z, w, or w_plus.
    Raises:
        RecipeError: an id twice, or a parent that does not come before its child.
    """

    model: str
    members: tuple[Individual, ...] = ()
    space: str = "z"

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise RecipeError(f"a tree in space {self.space[:20]!r}; it can be {', '.join(SPACES)}")
        if len(self.members) > MAX_MEMBERS:
            raise RecipeError(f"a tree of {len(self.members):,}; at most {MAX_MEMBERS:,} fit")
        seen: set[str] = set()
        for member in self.members:
            if member.id in seen:
                raise RecipeError(f"two individuals are called {member.id!r}; ids are unique")
            for parent in member.parents:
                if parent not in seen:
                    raise RecipeError(
                        f"{member.id!r} descends from {parent!r}, which is not in this tree "
                        "before it; parents and children share one tree and model"
                    )
            seen.add(member.id)

    def member(self, name: str) -> Individual:
        """One individual by its id.

        Raises:
            RecipeError: nobody is called so.
        """
        for member in self.members:
            if member.id == name:
                return member
        hint = did_you_mean(name, [member.id for member in self.members])
        raise RecipeError(f"nobody is called {name[:40]!r} in this tree{hint}")

    def add(self, child: Individual) -> "FamilyTree":
        """The tree with one more individual."""
        return replace(self, members=(*self.members, child))

    def join(self, other: "FamilyTree") -> "FamilyTree":
        """Both trees as one; who is in both is in it once.

        Raises:
            RecipeError: trees of different models or spaces, or two individuals of one id.
        """
        if (self.model, self.space) != (other.model, other.space):
            raise RecipeError(
                f"a tree on {self.model[:60]!r} in {self.space} and one on {other.model[:60]!r} in "
                f"{other.space} do not join; take parents of one model, bred in one space"
            )
        known = {member.id: member for member in self.members}
        new = [m for m in other.members if known.get(m.id) != m]
        return replace(self, members=(*self.members, *new))

    def star(self, name: str, starred: bool = True) -> "FamilyTree":
        """The tree with a mark on one individual, or without it."""
        self.member(name)
        changed = (
            replace(member, starred=starred) if member.id == name else member
            for member in self.members
        )
        return replace(self, members=tuple(changed))

    def ancestors(self, name: str) -> tuple[Individual, ...]:
        """All whom an individual descends from, through both parents; the oldest first."""
        wanted = {name}
        for member in reversed(self.members):
            if member.id in wanted:
                wanted.update(member.parents)
        self.member(name)
        return tuple(m for m in self.members if m.id in wanted and m.id != name)

    def children(self, name: str) -> tuple[Individual, ...]:
        """All who have an individual as a parent."""
        self.member(name)
        return tuple(member for member in self.members if name in member.parents)

    def generations(self) -> dict[str, int]:
        """How far each is from founders: 0 for a founder, else one more than its older parent."""
        counted: dict[str, int] = {}
        for member in self.members:
            counted[member.id] = 1 + max((counted[p] for p in member.parents), default=-1)
        return counted

    def to_json(self) -> str:
        """The tree as text: `FamilyTree.from_json(tree.to_json()) == tree`."""
        members = []
        for member in self.members:
            entry = {f.name: getattr(member, f.name) for f in fields(member)}
            members.append({**entry, "classes": dict(member.classes)})
        data = {
            "version": VERSION,
            "model": self.model,
            "space": self.space,
            "members": members,
        }
        return json.dumps(data, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "FamilyTree":
        """Read a tree.

        Raises:
            RecipeError: not JSON, of another version or shape, or an impossible tree.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            raise RecipeError(
                "the family tree is not JSON; take a file that phosphene wrote"
            ) from None
        if not isinstance(data, dict) or data.get("version") != VERSION:
            raise RecipeError(f"the family tree is not of version {VERSION}; update phosphene")
        model, members = data.get("model"), data.get("members")
        if not isinstance(model, str) or not isinstance(members, list):
            raise RecipeError("the family tree has no model or no members")
        space = data.get("space", "z")
        return cls(model, tuple(_individual(entry) for entry in members), str(space))


class Nursery:
    """Grows a tree's individuals on a model.

    Args:
        founder: Makes the genes of a seed; it decides model, space and psi.
        centre: The origin of lengths: w_avg for genes in w or w+, None for z.
        finder: Reads the genes of those that were found; None for a tree without any.
    """

    def __init__(
        self,
        tree: FamilyTree,
        founder: Founder,
        centre: Tensor | None = None,
        finder: Finder | None = None,
    ) -> None:
        self.tree, self.founder, self.centre, self.finder = tree, founder, centre, finder
        self._members = {member.id: member for member in tree.members}
        self._grown: dict[str, Genes] = {}

    def genes(self, name: str) -> Genes:
        """The genes of one individual; its ancestors are grown first, each once.

        Raises:
            RecipeError: nobody is called so, or the model lacks a class.
        """
        for member in (*self.tree.ancestors(name), self.tree.member(name)):
            if member.id not in self._grown:
                self._grown[member.id] = self._grow(member)
        return self._grown[name]

    def everyone(self) -> Iterator[tuple[Individual, Genes]]:
        """All of the tree, parents before children."""
        for member in self.tree.members:
            if member.id not in self._grown:
                self._grown[member.id] = self._grow(member)
            yield member, self._grown[member.id]

    def unmutated(self, name: str) -> Genes:
        """What an individual would be without its mutation: whose genes it got from whom."""
        self.genes(name)
        return self._grow(replace(self._members[name], mutation=0.0))

    def _grow(self, member: Individual) -> Genes:
        rng = Rng((member.seed,)).fork("breed")
        child = self._born(member, rng)
        if member.mutation == 0:
            return child
        if member.operator == "cross-classes":
            return breed.mutate_classes(child, rng, member.mutation)
        return breed.mutate(child, self._stranger(member), member.mutation, self.centre)

    def _born(self, member: Individual, rng: Rng) -> Genes:
        if not member.parents:
            return self._founded(member)
        parents = [self._grown[parent] for parent in member.parents]
        match member.operator:
            case "mutate":
                return breed.mutate(parents[0], self._stranger(member), member.amount, self.centre)
            case "mutate-classes":
                return breed.mutate_classes(parents[0], rng, member.amount)
            case "cross":
                return breed.cross(parents[0], parents[1], rng, member.amount)
            case "cross-classes":
                return breed.cross_classes(parents[0], parents[1], member.amount)
            case _:
                return breed.blend(parents[0], parents[1], member.amount, self.centre)

    def _founded(self, member: Individual) -> Genes:
        if member.operator == "seed":
            return self.founder(member.seed, dict(member.classes))
        if self.finder is None:
            raise RecipeError(f"{member.id!r} was found on a model; name that one")
        return self.finder(member.found)

    def _stranger(self, member: Individual) -> Genes:
        """Of the classes that the first parent's line began with: in w its style is of the kind."""
        return self.founder(member.seed, dict(self._founder_classes(member)))

    def _founder_classes(self, member: Individual) -> tuple[tuple[str, float], ...]:
        """The classes of the founder at the end of the line of first parents."""
        while member.parents:
            member = self._members[member.parents[0]]
        return member.classes


def _individual(entry: Any) -> Individual:
    known = [f.name for f in fields(Individual)]
    if not isinstance(entry, dict):
        raise RecipeError(
            f"an individual is {str(entry)[:40]!r}; it should have an id and an operator"
        )
    for key in entry:
        if key not in known:
            hint = did_you_mean(str(key), known)
            raise RecipeError(f"an individual has an unknown field {str(key)[:40]!r}{hint}")
    kinds = {
        "id": str,
        "operator": str,
        "seed": int,
        "parents": list,
        "amount": int | float,
        "mutation": int | float,
        "classes": dict,
        "found": str,
        "starred": bool,
    }
    for key, value in entry.items():
        is_flag = isinstance(value, bool) and key != "starred"
        if is_flag or not isinstance(value, kinds[key]):
            raise RecipeError(
                f"an individual has {key} {str(value)[:40]!r}, which is no such thing"
            )
    if "id" not in entry:
        raise RecipeError("an individual has no id; give it one")
    parents = tuple(str(parent) for parent in entry.get("parents", []))
    classes = entry.get("classes", {})
    if not all(isinstance(weight, int | float) for weight in classes.values()):
        raise RecipeError(f"{entry['id'][:40]!r} has a class weight that is no number")
    weights = tuple((str(name), float(weight)) for name, weight in classes.items())
    return Individual(**{**entry, "parents": parents, "classes": weights})


def _known() -> str:
    return ", ".join(PARENTS)
