"""Editing carried out: a picture moved along directions, or a sheet of what each of them does."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from phosphene.core.errors import RecipeError
from phosphene.core.images import Images, Picture
from phosphene.core.latent import Space
from phosphene.core.lettering import labelled
from phosphene.core.protocols import Step
from phosphene.explore.breed import Genes
from phosphene.explore.directions import Direction, turned
from phosphene.explore.genes_text import genes_text
from phosphene.studio.ancestry import origin_of, path_of
from phosphene.studio.artifact import Artifact, Manifest, artifact_of
from phosphene.studio.compass import Compass, entries_of, genes_of, sliders_of
from phosphene.studio.craft import Craft, Painted
from phosphene.studio.provenance import input_hashes
from phosphene.studio.recipe import Edit
from phosphene.studio.stock import Stock, open_stock
from phosphene.zoo import Zoo

DEFAULT_MODEL = "faces-dcgan"


class Bench:
    """A recipe with its model, its picture's genes and its directions ready.

    Raises:
        RecipeError: a direction or a class that there is not, layers of a model without styles.
        ImageError: a source or an example that is unreadable, or not made by phosphene.
        PhospheneError: as for `open_stock`.
    """

    def __init__(self, recipe: Edit, zoo: Zoo, device: str) -> None:
        model = recipe.model or DEFAULT_MODEL
        if recipe.source is not None and not recipe.start:
            of = origin_of(recipe.source, zoo, device).model
            if recipe.model not in (None, of):
                raise RecipeError(
                    f"source: {recipe.source[:60]!r} is of the model {of[:60]!r}, not of "
                    f"{recipe.model!r}"
                )
            model = of
        plain = open_stock(model, zoo, device, psi=recipe.psi)
        space = Space.Z if plain.dreamer.styled is None else Space.W_PLUS
        self.stock = Stock(plain.dreamer, space, recipe.psi)
        self.genes = self._start(recipe, zoo, device)
        if recipe.source is not None or recipe.start:
            recipe = recipe.model_copy(update={"start": genes_text(self.genes)})
        self.recipe = recipe.model_copy(update={"model": model})
        self.sliders = sliders_of(recipe)
        names = list(self.sliders)
        if recipe.layout == "sheet" and not names:
            names = [f"pc{number}" for number in range(recipe.num_directions)]
        self.inputs = input_hashes(_pictures(recipe))
        self.names = names
        self.directions = Compass(recipe, self.stock, self.genes, zoo, device).directions(names)

    def _start(self, recipe: Edit, zoo: Zoo, device: str) -> Genes:
        if recipe.start:
            return self.stock.found(recipe.start)
        if recipe.source is not None:
            return genes_of(recipe.source, self.stock, zoo, device)
        assert recipe.seed is not None
        if recipe.classes is None:
            return self.stock.founder(recipe.seed, {})
        condition = self.stock.dreamer.wanted(recipe.classes)
        assert condition.classes is not None
        row = condition.classes[0].tolist()
        names = self.stock.class_names()
        weights = {names[i]: weight for i, weight in enumerate(row) if weight}
        return self.stock.founder(recipe.seed, weights)

    def moved(self, sliders: dict[str, float]) -> Genes:
        """The picture's genes with sliders, in standard deviations."""
        layers = self.recipe.layers
        data = turned(self.genes.latent.data, self.directions, sliders, layers)
        return Genes(self.genes.latent.with_data(data), self.genes.classes)

    def paint(self, genes: Genes) -> Images:
        """A seed keeps its sample's layer noise, so that sliders at 0 are that sample."""
        is_seed = self.recipe.seed is not None and not self.recipe.start
        return self.stock.picture(genes, self.recipe.seed if is_seed else None)

    def columns(self) -> list[float]:
        """Amounts across a sheet."""
        count, reach = self.recipe.columns, self.recipe.reach
        return [reach * (2 * i / (count - 1) - 1) for i in range(count)]

    def artifact(self, image: Picture, genes: Genes | None) -> Artifact:
        """The finished picture; a sheet has no genes of its own."""
        made_in = self.stock.dreamer.surroundings.model_copy(update={"inputs": self.inputs})
        text = "" if genes is None else genes_text(genes)
        return artifact_of(image, self.recipe, 0, 1, made_in, genes=text)


def edit(
    recipe: Edit,
    zoo: Zoo,
    device: str = "cpu",
    _folder: Path | None = None,
    _resume: bool = False,
) -> Iterator[Step]:
    """Edit a picture; see `Bench` for the errors.

    Yields:
        A step a picture; last the picture or the sheet, `Painted`.
    """
    bench = Bench(recipe, zoo, device)
    if recipe.layout == "picture":
        genes = bench.moved(bench.sliders)
        new = bench.artifact(bench.paint(genes)[0], genes)
        yield Painted(0, 1, new.image[None], artifact=new)
        return
    amounts = bench.columns()
    total = len(bench.names) * len(amounts) + 1
    rows: list[list[Picture]] = []
    for name in bench.names:
        rows.append([])
        for amount in amounts:
            images = bench.paint(bench.moved({name: amount}))
            index = (len(rows) - 1) * len(amounts) + len(rows[-1])
            rows[-1].append(images[0])
            yield Step(index, total, images)
    heads = [f"{amount:+.3g}" if amount else "0" for amount in amounts]
    new = bench.artifact(labelled(rows, _labels(bench.directions), heads), None)
    yield Painted(total - 1, total, new.image[None], artifact=new)


def edit_again(manifest: Manifest, zoo: Zoo, device: str = "cpu") -> Iterator[Step]:
    """Edit the picture again."""
    assert isinstance(manifest.recipe, Edit)
    return edit(manifest.recipe, zoo, device)


def _labels(directions: Sequence[Direction]) -> list[str]:
    """Names, with the share of all change where it is known."""
    return [f"{d.name} {d.share:.0%}" if not math.isnan(d.share) else d.name for d in directions]


def _pictures(recipe: Edit) -> list[str]:
    """The files that examples are read from; the source's genes are in the recipe."""
    given = [
        entry
        for examples in recipe.attributes.values()
        for entry in entries_of((*examples.having, *examples.lacking))
    ]
    return [str(path_of(entry)) for entry in given if isinstance(entry, str)]


CRAFT = Craft(edit, edit_again)
