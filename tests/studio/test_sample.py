"""Samples: a picture a seed, alike alone and among others; classes; grids; replay; mistakes."""

import pytest
import torch

from phosphene.core.errors import RecipeError, UnknownModel, Unsupported
from phosphene.core.images import grid
from phosphene.studio.artifact import read_artifact
from phosphene.studio.picture import sample as sample_pictures
from phosphene.studio.recipe import Sample
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.replay import replay
from phosphene.studio.sample import sample
from phosphene.zoo import Zoo
from tests.studio.fakes import make_zoo
from tests.studio.gan_zoo import gan_zoo


@pytest.fixture(scope="module")
def zoo_of_gans(tmp_path_factory):
    return gan_zoo(tmp_path_factory.mktemp("gans"))


def artifacts(zoo, **fields):
    return [s.artifact for s in sample(Sample(**fields), zoo) if getattr(s, "artifact", None)]


def test_each_picture_is_the_sole_picture_of_its_seed(zoo_of_gans):
    zoo, animals, _ = zoo_of_gans
    many = artifacts(zoo, model=animals, count=4, seed=5)
    assert [a.manifest.seed for a in many] == [5, 6, 7, 8]
    for artifact in many:
        (alone,) = artifacts(zoo, model=animals, seed=artifact.manifest.seed)
        assert torch.equal(alone.image, artifact.image)
    listed = artifacts(zoo, model=animals, seeds="8,5-6")
    assert [a.manifest.seed for a in listed] == [8, 5, 6]
    assert torch.equal(listed[0].image, many[3].image)
    assert not torch.equal(many[0].image, many[1].image)


def test_classes_take_turns(zoo_of_gans):
    zoo, animals, _ = zoo_of_gans
    turns = artifacts(zoo, model=animals, count=4, seed=0, classes="owl,2")
    for i, name in enumerate(("owl", "cat", "owl", "cat")):
        (alone,) = artifacts(zoo, model=animals, seed=i, classes=name)
        assert torch.equal(alone.image, turns[i].image)
    (mixed,) = artifacts(zoo, model=animals, seed=0, classes="fox:0.5+owl:0.5")
    assert not torch.equal(mixed.image, turns[0].image)
    generator = zoo.load(animals)
    assert generator.condition_of([{"fox": 0.5, "owl": 0.5}]).classes.tolist() == [[0.5, 0.5, 0]]


def test_a_grid_is_the_sheet_of_its_pictures(zoo_of_gans):
    zoo, animals, _ = zoo_of_gans
    fields = {"model": animals, "count": 6, "seed": 1, "classes": ("fox", "owl", "cat")}
    steps = list(sample(Sample(**fields, layout="grid"), zoo))
    assert [s.index for s in steps] == list(range(7))
    assert all(s.total == 7 for s in steps)
    pictures = torch.stack([a.image for a in artifacts(zoo, **fields)])
    assert torch.equal(steps[-1].artifact.image, grid(pictures, 3))  # a column a class
    (wide,) = artifacts(zoo, **fields, layout="grid", columns=6)
    assert torch.equal(wide.image, grid(pictures, 6))


@pytest.mark.parametrize("fields", [{}, {"count": 3, "layout": "grid"}, {"seeds": "4,9"}])
@pytest.mark.parametrize("kind", [1, 2])
def test_saved_samples_replay(zoo_of_gans, tmp_path, kind, fields):
    zoo, model = zoo_of_gans[0], zoo_of_gans[kind]
    last = artifacts(zoo, **{"model": model, "seed": 3, **fields})[-1]
    last.save(tmp_path / "x.png")
    found = read_artifact(tmp_path / "x.png")
    assert found.image.shape[0] == (3 if kind == 1 else 4)
    assert found.manifest == last.manifest
    verdict = replay(tmp_path / "x.png", zoo)
    assert verdict.identical
    assert verdict.reasons == ()


def test_from_python(zoo_of_gans):
    zoo, animals, _ = zoo_of_gans
    pictures = sample_pictures(animals, 2, seed=3, classes=("fox", 1), zoo=zoo)
    assert [p.seed for p in pictures] == [3, 4]
    assert pictures[0].image.size == (16, 16)
    assert pictures[0].recipe.classes == ("fox", "1")
    assert "animals" in repr(pictures[0])
    (sheet,) = sample_pictures(animals, 4, grid=True, zoo=zoo)
    assert sheet.image.size == (38, 38)
    assert sheet.replay(zoo).identical


def test_mistakes(zoo_of_gans, tmp_path):
    zoo, animals, clear = zoo_of_gans
    with pytest.raises(RecipeError, match="no class 'dog'"):
        artifacts(zoo, model=animals, classes="fox,dog")
    with pytest.raises(RecipeError, match="'fox:half' is not name:weight"):
        artifacts(zoo, model=animals, classes="fox:half+owl:0.5")
    with pytest.raises(Unsupported, match="knows no classes"):
        artifacts(zoo, model=clear, classes="fox")
    with pytest.raises(UnknownModel, match="faces-dcgan"):
        artifacts(zoo, model="fases-dcgan")
    painter = make_zoo(tmp_path)
    with pytest.raises(Unsupported, match=r"'tiny-vqgan' \(tokens\) is no generator"):
        artifacts(Zoo(painter.home), model="tiny-vqgan")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seeds": "3,x"}, "seeds and ranges as 3,5,10-17; 'x' is neither"),
        ({"seeds": "9-3"}, "ranges of at most 1024 seeds, upwards"),
        ({"seeds": "0-5000"}, "ranges of at most 1024 seeds"),
        ({"seeds": "0-1000,0-1000"}, "at most 1024 seeds"),
        ({"count": 0}, "count: 0"),
        ({"seed": 2**63 - 1, "count": 2}, "leave room for 2 pictures"),
        ({"layout": "gird"}, "did you mean 'grid'"),
        ({"clases": "fox"}, "unknown key 'clases'; did you mean 'classes'"),
    ],
)
def test_recipes_that_cannot_be(fields, message):
    with pytest.raises(RecipeError, match=message):
        parse_recipe({"kind": "sample", **fields})
