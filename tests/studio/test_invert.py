"""Inversion carried out: a generator finds its own pictures, says how near it came, and replays."""

import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from phosphene.core.errors import ImageError, RecipeError, Unsupported
from phosphene.core.images import save_png
from phosphene.core.weights import save_weights
from phosphene.explore.genes_text import genes_from
from phosphene.nn.features import FeatureNet
from phosphene.studio.craft import Painted
from phosphene.studio.recipe import Breed, Edit, Invert, Sample
from phosphene.studio.replay import replay
from phosphene.studio.run import run
from phosphene.zoo.builders import BUILDERS
from tests.studio.gan_kinds import KINDS, save_kind


class Blind(FeatureNet):
    """Features that are the pixels of small pictures: quick, and with the same interface."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)

    def train(self, mode=True):
        return self

    def signature(self, images, stages=(0, 1, 2, 3)):
        return [torch.nn.functional.avg_pool2d(images, 8)]

    def distance(self, images, target, stages=(0, 1, 2, 3)):
        return (self.signature(images)[0] - target[0]).square().mean(dim=(1, 2, 3))


def build_blind(tensors, config, shelf):
    return Blind()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where models are, and such a network among them."""
    BUILDERS.setdefault(("features", "blind"), f"{__name__}:build_blind")
    made = tmp_path_factory.mktemp("gans")
    kind = {"family": "features", "arch": "blind"}
    save_weights(made / "eyes.safetensors", {"none": torch.zeros(1)}, kind)
    return made


def photo_of(model, zoo, path, seed=11):
    (step,) = run(Sample(model=model, seed=seed), zoo)
    save_png(step.artifact.image, path)
    return str(path)


def search(photo, model, **fields):
    eyes = str(Path(model).with_name("eyes.safetensors"))
    given = {"features": eyes, "seed": 2, "iterations": 40, "num_draws": 8, "num_starts": 2}
    return Invert(photo=photo, model=model, **{**given, "prior_weight": 0.0, **fields})


@pytest.mark.slow
@pytest.mark.parametrize("arch", KINDS)
def test_it_comes_nearer_and_replays(zoo, folder, tmp_path, arch):
    model = save_kind(folder, arch)
    recipe = search(photo_of(model, zoo, tmp_path / "photo.png"), model)
    *steps, last = run(recipe, zoo)
    assert isinstance(last, Painted)
    assert steps[-1].scalars["best"] < 0.7 * steps[0].scalars["loss"]
    (said,) = last.notes
    assert re.match(r"distance 0\.\d+ by features \(of 4\), [\d.]+% by pixels", said)
    assert ("as long as a draw's" in said) is (arch != "stylegan2")
    assert replay(last.artifact, zoo).identical
    genes = genes_from(last.artifact.manifest.genes)
    assert genes.latent.space == ("w_plus" if arch == "stylegan2" else "z")


@pytest.mark.parametrize("space", ["z", "w", "w_plus"])
def test_spaces_of_styles(zoo, folder, tmp_path, space):
    model = save_kind(folder, "stylegan2")
    recipe = search(photo_of(model, zoo, tmp_path / "photo.png"), model, space=space, iterations=3)
    *_, last = run(recipe, zoo)
    assert genes_from(last.artifact.manifest.genes).latent.space == space
    assert last.artifact.manifest.recipe.space == space


def test_what_was_found_is_edited_and_bred(zoo, folder, tmp_path):
    model = save_kind(folder, "stylegan2")
    recipe = search(photo_of(model, zoo, tmp_path / "photo.png"), model, iterations=3)
    *_, last = run(recipe, zoo)
    last.artifact.save(tmp_path / "found.png")
    found = str(tmp_path / "found.png")
    *_, edited = run(Edit(source=found, directions=("pc0:0",), samples=64), zoo)
    torch.testing.assert_close(edited.artifact.image, last.artifact.image, atol=1e-5, rtol=1e-4)
    *_, bred = run(Breed(parents=(found, "3"), seed=1, children=2), zoo)
    assert bred.artifact.manifest.recipe.space == "w_plus"
    assert replay(bred.artifact, zoo).identical


def test_the_film_shows_the_search_beside_the_photo(zoo, folder, tmp_path):
    model = save_kind(folder, "dcgan")
    photo = photo_of(model, zoo, tmp_path / "photo.png")
    plain = search(photo, model, iterations=4)
    filmed = search(photo, model, iterations=4, video="gif", save_every=2)
    *_, last = run(filmed, zoo, folder=tmp_path)
    with Image.open(last.beside[".gif"]) as film:
        assert film.n_frames == 3  # 0, 2 and the end
        assert film.size == (512, 256)
    *_, without = run(plain, zoo)
    assert torch.equal(without.artifact.image, last.artifact.image)
    assert not without.beside


def test_the_pull_keeps_z_among_draws(zoo, folder, tmp_path):
    model = save_kind(folder, "dcgan")
    save_png(torch.ones(3, 16, 16), tmp_path / "white.png")
    lengths = []
    for weight in (0.0, 1.0):
        recipe = search(str(tmp_path / "white.png"), model, prior_weight=weight)
        *_, last = run(recipe, zoo)
        lengths.append(float(genes_from(last.artifact.manifest.genes).latent.data.norm()))
    assert lengths[1] < lengths[0]


def test_a_photo_that_changed_is_told(zoo, folder, tmp_path):
    model = save_kind(folder, "dcgan")
    photo = photo_of(model, zoo, tmp_path / "photo.png")
    *_, last = run(search(photo, model, iterations=2), zoo)
    photo_of(model, zoo, tmp_path / "photo.png", seed=12)
    verdict = replay(last.artifact, zoo)
    assert any("photo.png" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"photo": "none.jpg"}, ImageError, "cannot read 'none.jpg'"),
        ({"photo": "TEXT"}, ImageError, "not a picture in a known format"),
        ({"space": "w"}, RecipeError, "has no styles, so no w"),
        ({"classes": "owl"}, Unsupported, "knows no classes"),
        ({"features": "tiny-judge"}, Unsupported, "cannot tell how different"),
        ({"model": "tiny-vqgan"}, Unsupported, "no generator"),
    ],
)
def test_mistakes(zoo, folder, tmp_path, fields, error, said):
    model = save_kind(folder, "dcgan")
    (tmp_path / "text.jpg").write_text("no picture")
    given = {"photo": photo_of(model, zoo, tmp_path / "photo.png"), "model": model, **fields}
    given = {k: str(tmp_path / "text.jpg") if v == "TEXT" else v for k, v in given.items()}
    with pytest.raises(error, match=said) as caught:
        next(iter(run(search(**given), zoo)))
    assert "\n" not in str(caught.value)
