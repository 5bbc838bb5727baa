"""A sheet of style mixing, as in figure 3 of Karras et al. 2019 (StyleGAN)."""

from collections.abc import Generator, Iterator
from pathlib import Path

from phosphene.core.errors import Unsupported
from phosphene.core.images import Picture
from phosphene.core.latent import Latent, Space
from phosphene.core.lettering import labelled
from phosphene.core.protocols import Step
from phosphene.explore.geometry import mix_styles, style_layers
from phosphene.explore.walk import Moment
from phosphene.studio.artifact import Artifact, Manifest, artifact_of
from phosphene.studio.craft import Craft, Painted
from phosphene.studio.dreamer import Dreamer, set_up
from phosphene.studio.recipe import Mix
from phosphene.studio.recipes.fields import seed_list
from phosphene.zoo import Zoo


def mix(
    recipe: Mix,
    zoo: Zoo,
    device: str = "cpu",
    _folder: Path | None = None,
    _resume: bool = False,
) -> Iterator[Step]:
    """Paint a sheet of style mixing.

    Yields:
        A step a picture; the sheet is `Painted` last.
    Raises:
        Unsupported: the model has no styles.
        RecipeError: layers or a class that the model lacks.
        PhospheneError: as for `dreamer.set_up`.
    """
    rows, columns = seed_list(recipe.rows), seed_list(recipe.columns)
    total = (len(rows) + 1) * (len(columns) + 1)  # the corner stays white; the sheet is the last
    artifact = yield from _painted(recipe, zoo, device, total)
    yield Painted(total - 1, total, artifact.image[None], artifact=artifact)


def mix_again(manifest: Manifest, zoo: Zoo, device: str = "cpu") -> Iterator[Step]:
    """Paint the sheet again."""
    assert isinstance(manifest.recipe, Mix)
    return mix(manifest.recipe, zoo, device)


def _painted(recipe: Mix, zoo: Zoo, device: str, total: int) -> Generator[Step, None, Artifact]:
    """Paint all pictures of the sheet; returns it."""
    dreamer = set_up(recipe, zoo, device)
    cells: list[list[Picture | None]] = []
    index = 0
    for row in _table(recipe, dreamer):
        cells.append([])
        for styles in row:
            if styles is None:
                cells[-1].append(None)
                continue
            images = dreamer.paint(Moment(styles, None, None))
            cells[-1].append(images[0])
            yield Step(index, total, images)
            index += 1
    rows, columns = (
        ["", *(f"seed {seed}" for seed in seed_list(text))]
        for text in (recipe.rows, recipe.columns)
    )
    rows[0] = f"{recipe.layers} from"
    return artifact_of(labelled(cells, rows, columns), recipe, 0, 1, dreamer.surroundings)


def _table(recipe: Mix, dreamer: Dreamer) -> list[list[Latent | None]]:
    """The styles of each picture, with those that are mixed in the first row and column."""
    if dreamer.styled is None:
        raise Unsupported(
            f"model: {recipe.model!r} has no styles to mix; take a StyleGAN, "
            "or mix classes: `phosphene sample --classes fox:0.5+owl:0.5`"
        )
    layers = style_layers(recipe.layers, dreamer.styled.num_ws)
    named = None if recipe.classes is None else dreamer.wanted(recipe.classes)

    def styles_of(seed: int) -> Latent:
        z = Latent(Space.Z, dreamer.z(seed))
        return dreamer.styles(z, dreamer.condition(seed, named))

    above = [styles_of(seed) for seed in seed_list(recipe.columns)]
    table: list[list[Latent | None]] = [[None, *above]]
    for seed in seed_list(recipe.rows):
        own = styles_of(seed)
        mixed = [own.with_data(mix_styles(own.data, other.data, layers)) for other in above]
        table.append([own, *mixed])
    return table


CRAFT = Craft(mix, mix_again)
