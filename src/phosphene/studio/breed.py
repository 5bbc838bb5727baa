"""Breeding carried out: children are painted beside their parents, one by one, or in their tree."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from phosphene.core.files import write_bytes
from phosphene.core.images import Picture
from phosphene.core.lettering import labelled
from phosphene.core.protocols import Step
from phosphene.explore.breed import inheritance, likeness
from phosphene.explore.family_tree import FamilyTree, Individual, Nursery
from phosphene.explore.genes_text import genes_text
from phosphene.studio.artifact import Artifact, Manifest, artifact_of
from phosphene.studio.craft import Craft, Painted
from phosphene.studio.family_picture import family_picture
from phosphene.studio.pedigree import completed, family_of
from phosphene.studio.recipe import Breed
from phosphene.studio.stock import Stock
from phosphene.zoo import Zoo

TREE_ENDING = ".tree.json"


def breed(
    recipe: Breed,
    zoo: Zoo,
    device: str = "cpu",
    folder: Path | None = None,
    _resume: bool = False,
) -> Iterator[Step]:
    """Breed.

    Yields:
        A step for everybody who is painted; of a child, notes of whose genes it has. `Painted` is
        each child of the layout "files", else the sheet or the tree, last. The tree lies beside
        the first picture as JSON.
    Raises:
        PhospheneError: as for `pedigree.completed`.
    """
    recipe, stock = completed(recipe, zoo, device)
    tree = family_of(recipe)
    nursery = _nursery(tree, stock)
    beside = {} if folder is None else _written(tree, folder)
    names = _shown(recipe, tree)
    alone = _are_files(recipe)
    faces: dict[str, Picture] = {}
    for index, name in enumerate(names):
        images = stock.picture(nursery.genes(name))
        faces[name] = images[0]
        notes = _notes(recipe, nursery, name)
        if alone:
            artifact = _child(recipe, stock, nursery, name)
            files = beside if index == 0 else {}
            yield Painted(index, len(names), images, notes=notes, artifact=artifact, beside=files)
        else:
            yield Step(index, len(names) + 1, images, notes=notes)
    if not alone:
        artifact = _together(recipe, stock, tree, faces)
        total = len(names) + 1
        yield Painted(total - 1, total, artifact.image[None], artifact=artifact, beside=beside)


def breed_again(manifest: Manifest, zoo: Zoo, device: str = "cpu") -> Iterator[Step]:
    """Paint a child, a sheet or a tree again."""
    assert isinstance(manifest.recipe, Breed)
    recipe, stock = completed(manifest.recipe, zoo, device)
    tree = family_of(recipe)
    nursery = _nursery(tree, stock)
    if _are_files(recipe):
        new = _child(recipe, stock, nursery, recipe.born[manifest.index])
    else:
        faces = {n: stock.picture(nursery.genes(n))[0] for n in _shown(recipe, tree)}
        new = _together(recipe, stock, tree, faces)
    yield Painted(0, 1, new.image[None], artifact=new)


def _nursery(tree: FamilyTree, stock: Stock) -> Nursery:
    """The tree with everybody grown: who cannot be, shows before anything is painted."""
    nursery = Nursery(tree, stock.founder, stock.centre, stock.found)
    for _ in nursery.everyone():
        pass
    return nursery


def _written(tree: FamilyTree, folder: Path) -> dict[str, Path]:
    """The tree as a file, by its ending."""
    path = folder / f"family{TREE_ENDING}"
    write_bytes(path, tree.to_json().encode())
    return {TREE_ENDING: path}


def _parents(recipe: Breed, tree: FamilyTree) -> list[str]:
    """Names of the children's parents, in order."""
    named = [parent for child in recipe.born for parent in tree.member(child).parents]
    return list(dict.fromkeys(named))


def _are_files(recipe: Breed) -> bool:
    return recipe.layout == "files" and bool(recipe.born)


def _is_tree(recipe: Breed) -> bool:
    return recipe.layout == "tree" or not recipe.born


def _shown(recipe: Breed, tree: FamilyTree) -> list[str]:
    """Who is painted, in order."""
    if _are_files(recipe):
        return list(recipe.born)
    if _is_tree(recipe):
        return [member.id for member in tree.members]
    return [*_parents(recipe, tree), *recipe.born]


def _child(recipe: Breed, stock: Stock, nursery: Nursery, name: str) -> Artifact:
    genes = nursery.genes(name)
    return artifact_of(
        stock.picture(genes)[0],
        recipe,
        recipe.born.index(name),
        1,
        stock.dreamer.surroundings,
        genes=genes_text(genes),
    )


def _together(
    recipe: Breed, stock: Stock, tree: FamilyTree, faces: Mapping[str, Picture]
) -> Artifact:
    """The sheet of parents and children, or the tree."""
    image = family_picture(tree, faces) if _is_tree(recipe) else _sheet(recipe, tree, faces)
    return artifact_of(image, recipe, 0, 1, stock.dreamer.surroundings)


def _sheet(
    recipe: Breed, tree: FamilyTree, faces: Mapping[str, Picture]
) -> Float[Tensor, "3 sheet_h sheet_w"]:
    """Parents above, children below; labels say which is which."""
    parents, count = _parents(recipe, tree), len(recipe.born)
    columns = recipe.columns or max(2, math.ceil(math.sqrt(count)))
    rows: list[list[Picture | None]] = []
    labels = []
    for start in range(0, len(parents), columns):
        part = parents[start : start + columns]
        rows.append([faces[name] for name in part])
        labels.append(" x ".join(part))
    for start in range(0, count, columns):
        last = min(start + columns, count)
        rows.append([faces[name] for name in recipe.born[start:last]])
        labels.append(f"{start + 1}-{last}" if last > start + 1 else str(last))
    return labelled(rows, labels, [])


def _notes(recipe: Breed, nursery: Nursery, name: str) -> tuple[str, ...]:
    """Whose genes a child has, in a line; none for others."""
    if name not in recipe.born:
        return ()
    member = nursery.tree.member(name)
    number = recipe.born.index(name) + 1
    return (f"child {number} ({name}): {_whose(member, nursery)}",)


def _whose(member: Individual, nursery: Nursery) -> str:
    child = nursery.genes(member.id)
    parents = [nursery.genes(parent) for parent in member.parents]
    alike = ", ".join(
        f"{likeness(child, genes, nursery.centre):.2f} like {name}"
        for name, genes in zip(member.parents, parents, strict=True)
    )
    if len(parents) == 1:
        return f"mutated by {member.amount:.0%}, {alike}"
    found = inheritance(nursery.unmutated(member.id), parents[0], parents[1])
    first, second = member.parents
    parts = [f"{len(found.first)} genes of {first}", f"{len(found.second)} of {second}"]
    if found.both:
        parts.append(f"{len(found.both)} of both")
    if found.between or found.new:
        parts.append(f"{len(found.between) + len(found.new)} between")
    if found.classes:
        parts.append(f"{len(found.classes)} classes mixed")
    if member.mutation:
        parts.append(f"then mutated by {member.mutation:.0%}")
    return f"{', '.join(parts)}; {alike}"


CRAFT = Craft(breed, breed_again)
