"""GANs from recipes: to weights that the zoo opens, by class, in grey; and what cannot be."""

import pytest
import torch

from phosphene.core.errors import RecipeError
from phosphene.core.images import save_png
from phosphene.core.rng import Rng
from phosphene.families.gan.dcgan import DCGANConfig
from phosphene.families.gan.generator import GANGenerator
from phosphene.studio.recipe import Train
from phosphene.studio.train import train
from phosphene.studio.train_gan import FAMILIES, gan_learner
from phosphene.training.augment import AdaptiveAugment, DiffAugment
from phosphene.training.folder import FolderSource
from phosphene.zoo import Zoo


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for i in range(6):
        save_png(Rng((i,)).uniform(3, 20, 20, low=-1)[0], folder / "abc"[i % 3] / f"{i}.png")
    return folder


def recipe_of(data, settings=None, model=None, **fields: object) -> Train:
    return Train(
        **{
            "learner": "gan",
            "steps": 4,
            "batch_size": 4,
            "size": 16,
            "name": "tiny",
            "data": str(data),
            "model": {"arch": "dcgan", "width": 4, "d_width": 4, "z_dim": 6, **(model or {})},
            "checkpoint_every": 2,
            "settings": settings or {},
            **fields,
        }
    )


def test_a_recipe_becomes_a_generator_that_the_zoo_opens(data, tmp_path, phosphene_home):
    recipe = recipe_of(
        data, {"conditional": True, "prior": "uniform"}, channels=1, height=24, classes="a,c"
    )
    steps = list(train(recipe, Zoo(phosphene_home), folder=tmp_path))
    assert [step.index for step in steps] == [0, 1, 2, 3]
    assert {"d", "g", "d_real", "d_fake", "diversity"} <= set(steps[0].scalars)
    made = Zoo(phosphene_home).load(str(tmp_path / "tiny.safetensors"))
    assert isinstance(made, GANGenerator)
    assert (made.class_names, made.prior) == (("a", "c"), "uniform")
    assert (made.resolution, made.channels) == ((24, 16), 1)
    painted = made.decode(made.draw(Rng((0,))), made.condition_of(["c"]))
    assert painted.shape == (1, 1, 24, 16)


@pytest.mark.slow
def test_stopped_and_resumed_is_the_same_file(data, tmp_path, phosphene_home):
    recipe, zoo = recipe_of(data, {"conditional": True, "r1_gamma": 1.0, "r1_every": 2}), Zoo()
    for _ in train(recipe, zoo, folder=tmp_path / "a"):
        pass
    going = train(recipe, zoo, folder=tmp_path / "b")
    for step in going:
        if step.index == 2:
            going.close()
            break
    for _ in train(recipe, zoo, folder=tmp_path / "b"):
        pass
    ours, theirs = ((tmp_path / x / "tiny.safetensors").read_bytes() for x in "ab")
    assert ours == theirs


def test_the_data_decides_the_shape(data):
    source = FolderSource(data, 16)
    made = gan_learner(recipe_of(data, {"conditional": True}), Zoo(), source)
    assert made.config["num_classes"] == 3
    assert made.config["class_names"] == ["a", "b", "c"]
    assert DCGANConfig.from_dict(made.config).sides == (16, 16)
    assert gan_learner(recipe_of(data), Zoo(), source).config["num_classes"] == 0
    same = gan_learner(recipe_of(data, {"conditional": True}), Zoo(), source)
    for a, b in zip(made.network.parameters(), same.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_augmentations_by_name(data):
    source = FolderSource(data, 16)
    ada = gan_learner(recipe_of(data, {"augment": "ada", "ada_kimg": 5}), Zoo(), source).augment
    assert isinstance(ada, AdaptiveAugment)
    assert ada.kimg == 5
    diff = {"augment": "diffaugment", "policy": "color"}
    assert isinstance(gan_learner(recipe_of(data, diff), Zoo(), source).augment, DiffAugment)


@pytest.mark.parametrize(
    ("settings", "model", "message"),
    [
        ({"los": "hinge"}, {}, r"unknown key settings\.los; did you mean 'loss'"),
        ({"loss": "hing"}, {}, r"settings\.loss: 'hing' should be"),
        ({"d_steps": 0}, {}, "d_steps is 0"),
        ({}, {"arch": "dcgun"}, "model.arch is 'dcgun'; did you mean 'dcgan'"),
        ({}, {"widht": 4}, r"unknown key model\.widht; did you mean 'width'"),
        ({"path_weight": 2.0}, {}, "networks with styles"),
        ({"d_rate": -1}, {}, "^d_rate is -1.0; it must be 0 or above$"),
        ({}, {"num_classes": 7}, "model.num_classes is 7, and that of the data is 0; leave it out"),
        ({}, {"resolution": [8, 16]}, r"model.resolution is \(8, 16\), .* of the data is 16"),
        ({"discriminator": "projected", "r1_gamma": 1.0}, {}, "takes no gradient penalty"),
        ({"discriminator": "theirs"}, {}, r"settings\.discriminator: 'theirs'"),
    ],
)
def test_mistakes(data, settings, model, message):
    with pytest.raises(RecipeError, match=message):
        gan_learner(recipe_of(data, settings, model), Zoo(), FolderSource(data, 16))


def test_classes_of_data_without_any(tmp_path):
    save_png(torch.zeros(3, 16, 16), tmp_path / "x.png")
    with pytest.raises(RecipeError, match="the data has no classes"):
        gan_learner(recipe_of(tmp_path, {"conditional": True}), Zoo(), FolderSource(tmp_path, 16))


def test_families_are_those_of_the_zoo():
    from phosphene.zoo.builders import BUILDERS

    assert {arch for family, arch in BUILDERS if family == "gan"} == set(FAMILIES)
