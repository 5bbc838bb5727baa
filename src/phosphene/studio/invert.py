"""Inversion carried out: a photo is looked for in a generator, and its genes travel in the picture.

Pictures are compared by the features of a network and by their pixels. In z, where a search easily
ends in the wrong valley, several begin side by side at the draws most like the photo; in styles one
begins at the mean.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import Unsupported
from phosphene.core.images import Images, fit, on_white, open_image, resize, save_png
from phosphene.core.latent import Condition, Latent, Space
from phosphene.core.protocols import Step
from phosphene.core.rng import Rng
from phosphene.explore.breed import Genes
from phosphene.explore.genes_text import genes_text
from phosphene.explore.invert import Inverted, Inverting, mean_start
from phosphene.explore.invert import invert as search
from phosphene.nn.features import FeatureNet
from phosphene.studio.artifact import Manifest, artifact_of
from phosphene.studio.craft import Craft, Painted
from phosphene.studio.provenance import input_hashes, model_hashes
from phosphene.studio.recipe import Invert
from phosphene.studio.stock import Stock, open_stock
from phosphene.studio.video import write_video
from phosphene.zoo import Zoo

SEEN_SIDE = 128  # px: the shorter side that features look at, at least
FILM_SIDE = 256  # px: height of a film's frames, at least
NUM_FRAMES = 100
NUM_STYLES = 256  # draws that tell how far styles lie from their mean


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """How far pictures are from the photo, lower is better: an `Objective`.

    Args:
        photo: As large as the generator's pictures, 1 3 h w.
        signature: Of the photo, as features see it.
    """

    network: FeatureNet
    photo: Images
    signature: list[Tensor]
    pixel_weight: float

    @classmethod
    def to(cls, photo: Images, network: FeatureNet, pixel_weight: float) -> "Likeness":
        """Look at a photo once."""
        with torch.no_grad():
            return cls(network, photo, network.signature(_enlarged(photo)), pixel_weight)

    def __call__(self, images: Images) -> Float[Tensor, " b"]:
        shown = on_white(images)
        return self.looks(shown) + self.pixel_weight * self.pixels(shown)

    def looks(self, images: Images) -> Float[Tensor, " b"]:
        """Distance of features, 0 to 4."""
        return self.network.distance(_enlarged(images), self.signature)

    def pixels(self, images: Images) -> Float[Tensor, " b"]:
        """Mean squared difference."""
        return (images - self.photo).square().mean(dim=(1, 2, 3))


@dataclass(frozen=True, slots=True, eq=False)
class Quest:
    """A recipe with its model, its photo and its beginnings ready.

    Args:
        start: One latent a search.
        condition: Their classes.
    """

    recipe: Invert
    stock: Stock
    likeness: Likeness
    start: Latent
    condition: Condition | None

    def steps(self) -> Iterator[Inverted]:
        """The searches, side by side."""
        assert self.recipe.seed is not None
        spread, anchor = _spread(self.stock)
        settings = Inverting(
            iterations=self.recipe.iterations,
            learning_rate=self.recipe.learning_rate,
            spread=spread,
            pull=self.recipe.prior_weight,
        )
        seeds = tuple(self.recipe.seed + i for i in range(len(self.start.data)))
        return search(
            self.stock.dreamer.generator,
            self.start,
            self.likeness,
            settings,
            condition=self.condition,
            rng=Rng(seeds, "/invert"),
            anchor=anchor,
        )

    def genes(self, last: Inverted) -> Genes:
        """Of the nearest search."""
        assert last.latent is not None
        best = _nearest(last)
        weights = None
        if self.condition is not None and self.condition.classes is not None:
            weights = self.condition.classes[best : best + 1].float().cpu()
        data = last.latent.data[best : best + 1].float().cpu()
        return Genes(last.latent.with_data(data), weights)

    @torch.no_grad()
    def how_near(self, genes: Genes, images: Images) -> str:
        """A line on how far a picture is from the photo, and its genes from the model's own."""
        shown = on_white(images).to(self.likeness.photo.device)
        looks, pixels = float(self.likeness.looks(shown)), float(self.likeness.pixels(shown))
        said = f"distance {looks:.3f} by features (of 4), {math.sqrt(pixels) / 2:.1%} by pixels"
        if genes.latent.space is not Space.Z:
            return said
        z = genes.latent.data
        return f"{said}; its z is {float(z.square().mean().sqrt()):.2f} times as long as a draw's"


def invert(
    recipe: Invert,
    zoo: Zoo,
    device: str = "cpu",
    folder: Path | None = None,
    _resume: bool = False,
) -> Iterator[Step]:
    """Look for a photo.

    Yields:
        A step an iteration; last the picture that was found, `Painted`, with a note of how near
        it is, and the film beside it.
    Raises:
        ImageError: the photo is unreadable.
        Unsupported: a model or features that cannot do this.
        Diverged: the loss stopped being finite.
        PhospheneError: as for `open_stock`.
    """
    inputs = input_hashes([recipe.photo])
    quest = _set_out(recipe, zoo, device)
    film = Film(recipe, folder, quest.likeness.photo)
    last: Inverted | None = None
    for last in quest.steps():
        assert last.images is not None
        best = _nearest(last)
        shown = last.images[best : best + 1]
        film.note(last.index, shown)
        yield Step(last.index, last.total + 1, shown, last.scalars)
    assert last is not None
    genes = quest.genes(last)
    images = quest.stock.picture(genes)
    made_in = quest.stock.dreamer.surroundings
    models = {**made_in.models, **model_hashes([recipe.features], zoo)}
    made_in = made_in.model_copy(update={"inputs": inputs, "models": models})
    new = artifact_of(images[0], recipe, 0, recipe.iterations, made_in, genes=genes_text(genes))
    yield Painted(
        last.total,
        last.total + 1,
        images,
        notes=(quest.how_near(genes, images),),
        artifact=new,
        beside=film.finished(),
    )


def invert_again(manifest: Manifest, zoo: Zoo, device: str = "cpu") -> Iterator[Step]:
    """Look for the photo again."""
    assert isinstance(manifest.recipe, Invert)
    return invert(manifest.recipe, zoo, device)


class Film:
    """The search as a film: what there is, beside what is looked for."""

    def __init__(self, recipe: Invert, folder: Path | None, photo: Images) -> None:
        self.recipe, self.photo = recipe, photo.cpu()
        self.folder = folder if recipe.video else None
        self.every = recipe.save_every or max(1, recipe.iterations // NUM_FRAMES)
        self.frames: list[Path] = []

    def note(self, index: int, images: Images) -> None:
        """Keep a frame, if one is due; the last is always kept."""
        if self.folder is None or (index % self.every and index < self.recipe.iterations):
            return
        both = torch.cat([on_white(images).cpu(), self.photo], dim=3)
        scale = max(1, FILM_SIDE // both.shape[2])
        large = resize(both, both.shape[2] * scale, both.shape[3] * scale)
        self.frames.append(self.folder / f"{index:06d}.png")
        save_png(large[0], self.frames[-1])

    def finished(self) -> dict[str, Path]:
        """Make the film; returns what lies beside the picture."""
        if self.folder is None:
            return {}
        path = self.folder / f"search.{self.recipe.video}"
        write_video(self.frames, path, self.recipe.fps)
        return {path.suffix: path}


def _set_out(recipe: Invert, zoo: Zoo, device: str) -> Quest:
    photo = open_image(Path(recipe.photo))
    stock = open_stock(recipe.model, zoo, device)
    space = Space(recipe.space) if recipe.space else stock.space
    if recipe.space is None and stock.dreamer.styled is not None:
        space = Space.W_PLUS
    stock = Stock(stock.dreamer, space)
    place = stock.dreamer.surroundings.platform.device
    network = zoo.load(recipe.features, place)
    if not isinstance(network, FeatureNet):
        raise Unsupported(f"features: {recipe.features!r} cannot tell how different pictures look")
    covering = fit(photo[None], *stock.dreamer.generator.resolution).to(place)
    likeness = Likeness.to(covering, network, recipe.pixel_weight)
    recipe = recipe.model_copy(update={"space": str(space)})
    return Quest(recipe, stock, likeness, *_beginnings(recipe, stock, likeness))


@torch.no_grad()
def _beginnings(
    recipe: Invert, stock: Stock, likeness: Likeness
) -> tuple[Latent, Condition | None]:
    """In styles the mean; in z the draws most like the photo, with their classes."""
    dreamer = stock.dreamer
    given = dreamer.wanted(recipe.classes) if recipe.classes is not None else None
    if stock.space is not Space.Z:
        return mean_start(dreamer.generator, stock.space, 1), None
    assert recipe.seed is not None
    zs, classes, losses = [], [], []
    for number in range(recipe.num_draws):
        rng = Rng((recipe.seed,), "/invert").fork(f"draw {number}")
        condition = given or dreamer.generator.any_condition(rng.fork("render"))
        latent = dreamer.generator.draw(rng.fork("z"))
        zs.append(latent.data)
        classes += [] if condition.classes is None else [condition.classes]
        losses.append(likeness(dreamer.generator.decode(latent, condition)).cpu())
    order = torch.cat(losses).argsort(stable=True)[: recipe.num_starts].tolist()
    start = Latent(Space.Z, torch.cat([zs[i] for i in order]))
    if not classes:
        return start, None
    return start, Condition(classes=torch.cat([classes[i] for i in order]))


@torch.no_grad()
def _spread(stock: Stock) -> tuple[float, Tensor | None]:
    """Typical distance of a component from the mean, and what latents are pulled to.

    z is pulled to 0, as its likelihood says; styles to the mean style, where they start.
    """
    dreamer = stock.dreamer
    if dreamer.styled is None or stock.space is Space.Z:
        return 1.0, torch.zeros(1)
    rng = Rng(tuple(range(NUM_STYLES)), "/spread")
    condition = dreamer.generator.any_condition(rng.fork("render"))
    w = dreamer.styled.map(dreamer.generator.draw(rng.fork("z")), condition).data[:, 0]
    away = w.float() - dreamer.styled.w_avg.float()
    return float(away.square().mean().sqrt()), None


def _nearest(step: Inverted) -> int:
    """Which of the searches is nearest so far."""
    assert step.losses is not None
    return int(step.losses.argmin())


def _enlarged(images: Images) -> Float[Tensor, "b c h2 w2"]:
    """Pictures as features look at them: small ones would have no maps to speak of."""
    height, width = images.shape[-2:]
    scale = max(1.0, SEEN_SIDE / min(height, width))
    large: Tensor = resize(images, round(height * scale), round(width * scale))
    return large


CRAFT = Craft(invert, invert_again)
