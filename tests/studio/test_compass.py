"""Directions on a model: from draws, weights and examples; the same every time."""

import pytest
import torch

from phosphene.core.errors import ImageError, RecipeError
from phosphene.core.latent import Space
from phosphene.studio.compass import Compass, genes_of, sliders_of
from phosphene.studio.craft import Painted
from phosphene.studio.recipe import Edit, Sample
from phosphene.studio.run import run
from phosphene.studio.stock import Stock, open_stock
from tests.studio.gan_kinds import KINDS, save_kind


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gans")


def compass(zoo, model, **fields):
    recipe = Edit(model=model, seed=7, directions=("pc0:1",), samples=100, **fields)
    plain = open_stock(model, zoo)
    space = Space.W_PLUS if plain.dreamer.styled else Space.Z
    stock = Stock(plain.dreamer, space)
    return Compass(recipe, stock, stock.founder(7, {}), zoo, "cpu")


@pytest.mark.parametrize("arch", KINDS)
def test_directions_are_unit_vectors_that_stay(zoo, folder, arch):
    names = ["pc2", "sefa1", "pc0", "smile"]
    attributes = {"smile": "1-9/20-29"}
    made = compass(zoo, save_kind(folder, arch), attributes=attributes).directions(names)
    assert [direction.name for direction in made] == names
    for direction in made:
        assert float(direction.vector.norm()) == pytest.approx(1, abs=1e-5)
        assert direction.deviation > 0
    again = compass(zoo, save_kind(folder, arch), attributes=attributes).directions(names)
    for one, other in zip(made, again, strict=True):
        assert torch.equal(one.vector, other.vector)
    # asked for alone, a direction is the same
    alone = compass(zoo, save_kind(folder, arch)).directions(["pc0"])[0]
    torch.testing.assert_close(alone.vector, made[2].vector)


def test_layers_choose_the_weights_that_are_factorised(zoo, folder):
    model = save_kind(folder, "stylegan2")
    coarse = compass(zoo, model, layers="0-1").directions(["sefa0"])[0].vector
    last = compass(zoo, model, layers="4").directions(["sefa0"])[0].vector
    assert abs(float(coarse @ last)) < 0.99


def test_an_attribute_leads_from_examples_without_to_those_with_it(zoo, folder):
    model = save_kind(folder, "dcgan")
    stock = open_stock(model, zoo)
    height = {seed: float(stock.founder(seed, {}).latent.data[0, 2]) for seed in range(60)}
    ranked = sorted(height, key=height.__getitem__)
    low, high = (",".join(map(str, part)) for part in (ranked[:20], ranked[-20:]))
    found = compass(zoo, model, attributes={"tall": f"{high}/{low}"}).directions(["tall"])[0]
    assert int(found.vector.abs().argmax()) == 2
    assert float(found.vector[2]) > 0.85


def test_a_slider_of_few_examples_still_moves(zoo, folder):
    for arch in ("dcgan", "stylegan2"):
        there = compass(zoo, save_kind(folder, arch), attributes={"a": "1,2/3"})
        (found,) = there.directions(["a"])
        spread = there.directions(["pc0"])[0].deviation
        assert 0.05 * spread < found.deviation < 2 * spread


def test_examples_may_be_pictures(zoo, folder):
    model = save_kind(folder, "dcgan")
    paths = []
    for step in run(Sample(model=model, seed=1, count=2), zoo):
        assert isinstance(step, Painted)
        paths.append(str(folder / f"{step.index}.png"))
        step.artifact.save(folder / f"{step.index}.png")
    by_picture = compass(zoo, model, attributes={"a": f"{paths[0]},3 / {paths[1]}"})
    by_seed = compass(zoo, model, attributes={"a": "1,3/2"})
    assert torch.equal(by_picture.directions(["a"])[0].vector, by_seed.directions(["a"])[0].vector)
    with pytest.raises(ImageError, match="no image at"):
        compass(zoo, model, attributes={"a": "1/none.png"}).directions(["a"])
    other = open_stock(save_kind(folder, "biggan"), zoo)
    with pytest.raises(RecipeError, match="is of the model"):
        genes_of(paths[0], other, zoo, "cpu")


@pytest.mark.parametrize("name", ["smil", "pc", "pc-1", "principal", "sefa99999"])
def test_no_such_direction(zoo, folder, name):
    there = compass(zoo, save_kind(folder, "dcgan"), attributes={"smile": "1/2"})
    with pytest.raises(RecipeError, match="no direction") as caught:
        there.directions([name])
    assert ("did you mean 'smile'" in str(caught.value)) is (name == "smil")


def test_too_high_a_number(zoo, folder):
    with pytest.raises(RecipeError, match="directions of 6 that there are"):
        compass(zoo, save_kind(folder, "dcgan")).directions(["pc6"])


def test_sliders_add_up():
    recipe = Edit(seed=1, directions=("pc0:2", "pc1", "pc0:-0.5", "a:b:3"))
    assert sliders_of(recipe) == {"pc0": 1.5, "pc1": 1.0, "a:b": 3.0}
