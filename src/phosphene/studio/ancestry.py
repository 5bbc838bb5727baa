"""What pictures say of their genes: a PNG that phosphene made becomes a member of a family tree.

A sample is its seed. A child brings its whole tree. What was found (an inversion, an edit, a
picture that words steered to) brings its genes.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from phosphene.core.errors import PhospheneError, RecipeError
from phosphene.core.latent import Condition, Latent, Space
from phosphene.explore.breed import Genes
from phosphene.explore.family_tree import FamilyTree, Individual
from phosphene.explore.genes_text import genes_text
from phosphene.studio.artifact import Manifest, read_artifact
from phosphene.studio.dreamer import Dreamer, set_up
from phosphene.studio.provenance import model_hashes
from phosphene.studio.recipe import Breed, Sample
from phosphene.zoo import Zoo

ID_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a picture's genes come from.

    Args:
        model: Name of the generator.
        space: Of the genes; None for a seed, which has them in every space.
        tree: With the member and all its ancestors.
        name: Of the member.
    """

    model: str
    space: str | None
    tree: FamilyTree
    name: str


def is_seed(entry: str) -> bool:
    """Whether a parent is named by a seed."""
    return entry.isascii() and entry.isdigit()


def named(member: Individual) -> Individual:
    """The individual with a name of its own: seeds are theirs, others are named by how they came
    to be, so that the same one has the same name in every tree."""
    if member.operator == "seed":
        classes = "+".join(
            name if weight == 1 else f"{name}:{weight:g}" for name, weight in member.classes
        )
        return _renamed(member, f"{member.seed} {classes}".strip()[:200])
    told = [
        *(member.operator, member.seed, member.parents),
        *(member.amount, member.mutation, member.found),
    ]
    digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    return _renamed(member, digest[:ID_LENGTH])


def origin_of(entry: str, zoo: Zoo, device: str = "cpu") -> Origin:
    """Read where the genes of a picture come from.

    Args:
        entry: A path; of a sheet, `path:3` is the third.
    Raises:
        ImageError: unreadable, or not made by phosphene.
        RecipeError: a picture without genes, or weights that have changed since.
    """
    path, number = _split(entry)
    manifest = read_artifact(path).manifest
    recipe = manifest.recipe
    model = getattr(recipe, "model", None)
    if model is None or not (
        isinstance(recipe, Breed | Sample) or manifest.genes  # others have codes, or no latent
    ):
        raise RecipeError(
            f"{entry[:80]!r} has no genes: it is a picture of `{recipe.kind}`; take one of sample, "
            "breed, edit, invert or imagine --method gan-clip"
        )
    _demand_same_weights(entry, manifest, model, zoo)
    if isinstance(recipe, Breed):
        tree = FamilyTree.from_json(json.dumps(recipe.family))
        whole = recipe.layout == "tree" or not recipe.born
        shown = [m.id for m in tree.members] if whole else recipe.born
        alone = recipe.layout == "files" and not whole
        child = shown[_index(entry, manifest.index if alone else None, number, len(shown))]
        line = (*tree.ancestors(child), tree.member(child))
        return Origin(model, tree.space, FamilyTree(model, line, tree.space), child)
    if isinstance(recipe, Sample):
        alone = recipe.layout == "files"
        count = len(recipe.all_seeds())
        index = _index(entry, manifest.index if alone else None, number, count)
        member, space = _sampled(recipe, index, zoo, device)
    else:
        _index(entry, 0, number, 1)
        space = manifest.genes.partition("|")[0]
        member = named(Individual("x", "found", found=manifest.genes))
    return Origin(model, space, FamilyTree(model, (member,), space or "z"), member.id)


def path_of(entry: str) -> Path:
    """The file of a picture that may be one of several on a sheet."""
    return _split(entry)[0]


def _sampled(recipe: Sample, index: int, zoo: Zoo, device: str) -> tuple[Individual, str | None]:
    """A sample's seed with its class; with its genes, if a truncation has changed them."""
    seed = recipe.all_seeds()[index]
    dreamer = set_up(recipe, zoo, device)
    condition: Condition | None = None
    if recipe.classes:
        condition = dreamer.wanted(recipe.classes[index % len(recipe.classes)])
    truncated = (
        recipe.truncation_psi,
        recipe.truncation_threshold,
        recipe.truncation_scale,
    )
    if any(value is not None for value in truncated):
        found = genes_text(_truncated(dreamer, seed, condition))
        return named(Individual("x", "found", found=found)), found.partition("|")[0]
    classes = {} if condition is None else _weights(condition, dreamer)
    return named(Individual("x", seed=seed, classes=tuple(classes.items()))), None


def _truncated(dreamer: Dreamer, seed: int, condition: Condition | None) -> Genes:
    condition = dreamer.condition(seed, condition)
    latent = Latent(Space.Z, dreamer.z(seed))
    if dreamer.recipe.truncation_psi is not None:
        ws = dreamer.styles(latent, condition).data
        latent = Latent(Space.W, ws[:, 0].float().cpu())  # all layers are the same
    return Genes(latent, None if condition is None else condition.classes)


def _weights(condition: Condition, dreamer: Dreamer) -> dict[str, float]:
    assert condition.classes is not None
    names = dreamer.generator.class_names
    row = condition.classes[0].tolist()
    return {names[i]: weight for i, weight in enumerate(row) if weight}


def _split(entry: str) -> tuple[Path, int | None]:
    """Read `path` or `path:3`; a file that has the whole as its name is that file."""
    path, colon, number = entry.rpartition(":")
    if colon and is_seed(number) and not Path(entry).exists():
        return Path(path), int(number)
    return Path(entry), None


def _index(entry: str, own: int | None, number: int | None, count: int) -> int:
    """Which of a file's pictures is meant: its only one, or the `number`-th."""
    if own is not None:
        if number not in (None, 1):
            raise RecipeError(f"{entry[:80]!r}: there is one picture in this file")
        return own
    if number is None:
        raise RecipeError(f"{entry[:80]!r} shows {count} pictures; name one as {entry[:80]}:3")
    if not 1 <= number <= count:
        raise RecipeError(f"{entry[:80]!r}: there are {count} pictures, numbered from 1")
    return number - 1


def _demand_same_weights(entry: str, manifest: Manifest, model: str, zoo: Zoo) -> None:
    try:
        now = model_hashes([model], zoo)[model]
    except PhospheneError as error:
        raise RecipeError(f"{entry[:80]!r} is of the model {model[:80]!r}: {error}") from None
    if manifest.models.get(model) != now:
        raise RecipeError(
            f"{entry[:80]!r} was made with other weights of {model[:80]!r} than are here; "
            "its genes mean nothing to them"
        )


def _renamed(member: Individual, name: str) -> Individual:
    return Individual(
        name,
        member.operator,
        member.seed,
        member.parents,
        member.amount,
        member.classes,
        mutation=member.mutation,
        found=member.found,
    )


def read_tree(path: Path) -> FamilyTree:
    """Read a family tree that `breed` wrote.

    Raises:
        RecipeError: unreadable, or no family tree.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise RecipeError(f"cannot read the family tree {str(path)!r}: {reason}") from None
    return FamilyTree.from_json(text)
