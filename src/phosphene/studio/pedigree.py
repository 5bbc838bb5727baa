"""A breeding recipe completed: parents are looked up, children are named, the tree is written in.

Afterwards the recipe needs no other file: it replays when the parents' pictures are gone.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from phosphene.core.errors import RecipeError
from phosphene.core.latent import Space
from phosphene.explore.breed import Genes
from phosphene.explore.family_tree import FamilyTree, Individual, Nursery
from phosphene.explore.taste import Taste, learnt
from phosphene.studio.ancestry import Origin, is_seed, named, origin_of, read_tree
from phosphene.studio.recipe import Breed
from phosphene.studio.stock import RICHER, Stock, open_stock
from phosphene.zoo import Zoo

DEFAULT_MODEL = "faces-dcgan"


def family_of(recipe: Breed) -> FamilyTree:
    """The tree of a complete recipe."""
    return FamilyTree.from_json(json.dumps(recipe.family))


def completed(recipe: Breed, zoo: Zoo, device: str = "cpu") -> tuple[Breed, Stock]:
    """Fill in a recipe's model, space, tree and children.

    Raises:
        RecipeError: parents of different models or spaces, nobody of a name, an operator that
            cannot be used.
        ImageError: a parent's picture that is unreadable, or not made by phosphene.
        PhospheneError: as for `open_stock`.
    """
    if recipe.family:
        whole = family_of(recipe)
        grown_on, place = recipe.model or whole.model, Space(whole.space)
        return recipe, open_stock(grown_on, zoo, device, place, recipe.psi)
    tree = read_tree(Path(recipe.tree)) if recipe.tree else None
    names = {member.id for member in tree.members} if tree else set[str]()
    origins = {
        entry: origin_of(entry, zoo, device)
        for entry in dict.fromkeys((*recipe.parents, *recipe.liked, *recipe.shown))
        if entry not in names and not is_seed(entry)
    }
    model = _model(recipe, tree, origins)
    space = _space(recipe, tree, origins)
    stock = open_stock(model, zoo, device, space, recipe.psi)
    whole = FamilyTree(model, tree.members if tree else (), str(stock.space))
    for entry in recipe.parents:
        if entry in origins:
            whole = whole.join(FamilyTree(model, origins[entry].tree.members, whole.space))
    parents = []
    for number, entry in enumerate(recipe.parents):
        if entry in names or entry in origins:
            parents.append(origins[entry].name if entry in origins else entry)
            continue
        founder = _founder(recipe, number, int(entry), stock)
        whole = whole.join(FamilyTree(model, (founder,), whole.space))
        parents.append(founder.id)
    _demand_classes(recipe, stock)
    born = []
    taste = _taste(recipe, tree, origins, stock)
    for litter in _children(recipe, parents):
        child = _chosen(litter, whole, taste, stock)
        whole = whole.join(FamilyTree(model, (*whole.members, child), whole.space))
        born.append(child.id)
    filled = {"model": model, "family": json.loads(whole.to_json()), "born": tuple(born)}
    if recipe.space is None:
        filled["space"] = whole.space
    return recipe.model_copy(update=filled), stock


def _taste(
    recipe: Breed, tree: FamilyTree | None, origins: dict[str, Origin], stock: Stock
) -> Taste | None:
    """What is liked, learnt from pictures that do not get into the family."""
    if recipe.siblings == 1 or not recipe.liked:
        return None

    def genes(entry: str) -> Genes:
        if entry in origins:
            known, name = origins[entry].tree, origins[entry].name
        elif tree is not None and entry in {member.id for member in tree.members}:
            known, name = tree, entry
        else:
            return stock.founder(int(entry), {})
        return _nursery(FamilyTree(stock.model, known.members, str(stock.space)), stock).genes(name)

    liked = [genes(entry) for entry in dict.fromkeys(recipe.liked)]
    others = [genes(e) for e in dict.fromkeys(recipe.shown) if e not in recipe.liked]
    return learnt(liked, others, stock.centre)


def _chosen(
    litter: list[Individual], whole: FamilyTree, taste: Taste | None, stock: Stock
) -> Individual:
    """The one of a litter that is liked best; without taste the first."""
    if taste is None:
        return litter[0]
    family = FamilyTree(whole.model, (*whole.members, *litter), whole.space)
    nursery = _nursery(family, stock)
    return litter[taste.best([nursery.genes(sibling.id) for sibling in litter])]


def _nursery(tree: FamilyTree, stock: Stock) -> Nursery:
    return Nursery(tree, stock.founder, stock.centre, stock.found)


def _model(recipe: Breed, tree: FamilyTree | None, origins: dict[str, Origin]) -> str:
    """The one model of all parents; a tree of seeds alone may be grown on another one."""
    named_by = {entry: origin.model for entry, origin in origins.items()}
    if tree is not None and recipe.model is None:
        named_by[str(recipe.tree)] = tree.model
    if recipe.model is not None:
        named_by["--model"] = recipe.model
    (first, model), *others = [*named_by.items()] or [("", DEFAULT_MODEL)]
    for entry, other in others:
        if other != model:
            raise RecipeError(
                f"parents of different models do not breed: {first[:60]!r} is of {model[:60]!r}, "
                f"{entry[:60]!r} of {other[:60]!r}"
            )
    return model


def _space(recipe: Breed, tree: FamilyTree | None, origins: dict[str, Origin]) -> Space | None:
    """Where all genes are: children stay where they were bred, those found where they were, or in
    a richer space."""
    wanted = None if recipe.space in (None, "class") else Space(str(recipe.space))
    bred = {
        entry: origin.space
        for entry, origin in origins.items()
        if origin.tree.generations()[origin.name]
    }
    if tree is not None:
        bred[str(recipe.tree)] = tree.space
    for entry, space in bred.items():
        if space is not None and wanted is not None and wanted is not Space(space):
            raise RecipeError(
                f"space: {entry[:60]!r} was bred in {space}, so its line goes on there, not in "
                f"{wanted}; leave --space out"
            )
        wanted = Space(str(space))
    found = [Space(origin.space) for origin in origins.values() if origin.space is not None]
    if wanted is None and found:
        wanted = max(found, key=RICHER.index)
    return wanted


def _founder(recipe: Breed, number: int, seed: int, stock: Stock) -> Individual:
    """A parent that is a seed, with the class whose turn it is."""
    if not recipe.classes:
        return named(Individual("x", seed=seed))
    entry = recipe.classes[number % len(recipe.classes)]
    condition = stock.dreamer.wanted(entry)
    assert condition.classes is not None
    row = condition.classes[0].tolist()
    weights = {stock.class_names()[i]: weight for i, weight in enumerate(row) if weight}
    return named(Individual("x", seed=seed, classes=tuple(weights.items())))


def _demand_classes(recipe: Breed, stock: Stock) -> None:
    if recipe.space == "class" and not stock.class_names():
        raise RecipeError(f"space: {stock.model!r} knows no classes to cross; use z")
    if recipe.space == "class" and recipe.operator == "blend":
        raise RecipeError("operator: classes are always mixed; leave blend out, or leave class out")


def _children(recipe: Breed, parents: list[str]) -> Iterator[list[Individual]]:
    """Each child with the siblings that it is chosen from, pair by pair."""
    if not parents:
        return
    pairs = list(itertools.combinations(dict.fromkeys(parents), 2))
    by_class = recipe.space == "class"
    if not pairs and recipe.mutation == 0:
        raise RecipeError("one parent without mutation has children like itself; name two parents")
    for number in range(recipe.children):
        if not pairs:
            operator = "mutate-classes" if by_class else "mutate"
            born = Individual("x", operator, 0, (parents[0],), recipe.mutation)
        else:
            operator = "cross-classes" if by_class else recipe.operator
            pair = pairs[number % len(pairs)]
            share = _share(recipe, operator, number // len(pairs), len(pairs))
            born = Individual("x", operator, 0, pair, share, mutation=recipe.mutation)
        yield [named(replace(born, seed=seed)) for seed in recipe.sibling_seeds(number)]


def _share(recipe: Breed, operator: str, turn: int, num_pairs: int) -> float:
    """Of the second parent: as asked, half of what is crossed, else another for each child."""
    if recipe.share is not None:
        return recipe.share
    if operator == "cross":
        return 0.5
    turns = -(-recipe.children // num_pairs)
    return (turn + 1) / (turns + 1)
