"""Editing carried out: sliders at 0 change nothing, pictures and sheets replay."""

import pytest
import torch

from phosphene.core.errors import RecipeError
from phosphene.explore.genes_text import genes_from
from phosphene.studio.craft import Painted
from phosphene.studio.recipe import Breed, Edit, Sample
from phosphene.studio.replay import replay
from phosphene.studio.run import run
from tests.studio.gan_kinds import KINDS, save_kind


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gans")


def artifact(recipe, zoo):
    *_, last = run(recipe, zoo)
    assert isinstance(last, Painted)
    return last.artifact


def edit(model, *directions, **fields):
    given = {"model": model, "seed": 7, "samples": 64, "directions": directions}
    return Edit(**{**given, **fields})


@pytest.mark.parametrize("arch", KINDS)
def test_pictures_and_sheets_replay(zoo, folder, tmp_path, arch):
    model = save_kind(folder, arch)
    attributes = {"smile": "1-5/6-9"}
    for number, recipe in enumerate(
        [
            edit(model, "pc0:2", "smile:-1", attributes=attributes, psi=0.8),
            edit(model, layout="sheet", num_directions=2, columns=3),
            edit(model, "sefa0", "smile", attributes=attributes, layout="sheet", columns=3),
        ]
    ):
        made = artifact(recipe, zoo)
        made.save(tmp_path / f"{number}.png")
        assert replay(tmp_path / f"{number}.png", zoo).identical


@pytest.mark.parametrize("arch", KINDS)
def test_at_zero_it_is_the_sample(zoo, folder, arch):
    model = save_kind(folder, arch)
    still = artifact(edit(model, "pc0:0"), zoo)
    same = artifact(Sample(model=model, seed=7), zoo)
    torch.testing.assert_close(still.image, same.image, atol=1e-5, rtol=1e-4)
    moved = artifact(edit(model, "pc0:2"), zoo)
    assert not torch.allclose(moved.image, same.image, atol=1e-2)


def test_a_sheet_holds_the_pictures_of_its_amounts(zoo, folder):
    model = save_kind(folder, "dcgan")
    sheet = artifact(edit(model, layout="sheet", num_directions=2, columns=3, reach=2.0), zoo)
    _, height, width = sheet.image.shape
    for row in range(2):
        for column, amount in enumerate((-2, 0, 2)):
            cell = artifact(edit(model, f"pc{row}:{amount}"), zoo).image
            top, left = height - (2 - row) * 20, width - (3 - column) * 20
            assert torch.equal(sheet.image[:, top : top + 16, left : left + 16], cell)
    assert sheet.manifest.genes == ""


def test_layers_of_styles(zoo, folder):
    model = save_kind(folder, "stylegan2")
    before, after = (
        genes_from(artifact(edit(model, f"pc0:{a}", layers="0-1"), zoo).manifest.genes).latent.data
        for a in (0, 2)
    )
    changed = (before != after).any(2)[0].tolist()
    assert changed == [True, True, *[False] * (len(changed) - 2)]
    with pytest.raises(RecipeError, match="are of w"):
        artifact(edit(save_kind(folder, "dcgan"), "pc0:1", layers="coarse"), zoo)


def test_pictures_are_edited_without_their_files(zoo, folder, tmp_path):
    model = save_kind(folder, "stylegan2")
    child = artifact(Breed(model=model, parents=("3", "8"), seed=1, layout="files"), zoo)
    child.save(tmp_path / "child.png")
    recipe = Edit(source=str(tmp_path / "child.png"), directions=("pc0:0",), samples=64)
    same = artifact(recipe, zoo)
    torch.testing.assert_close(same.image, child.image, atol=1e-5, rtol=1e-4)
    assert same.manifest.recipe.model == model
    same.save(tmp_path / "same.png")
    (tmp_path / "child.png").unlink()
    assert replay(tmp_path / "same.png", zoo).identical
    twice = Edit(source=str(tmp_path / "same.png"), directions=("pc0:1",), samples=64)
    assert not torch.allclose(artifact(twice, zoo).image, child.image, atol=1e-3)


def test_classes(zoo, folder):
    model = save_kind(folder, "biggan")
    owl = artifact(edit(model, "pc0:0", classes="owl"), zoo)
    assert genes_from(owl.manifest.genes).classes.tolist() == [[0, 1, 0]]
    same = artifact(Sample(model=model, seed=7, classes=("owl",)), zoo)
    torch.testing.assert_close(owl.image, same.image, atol=1e-5, rtol=1e-4)


def test_examples_are_remembered(zoo, folder, tmp_path):
    model = save_kind(folder, "dcgan")
    artifact(Sample(model=model, seed=1), zoo).save(tmp_path / "ann.png")
    path = str(tmp_path / "ann.png")
    made = artifact(edit(model, "a:1", attributes={"a": f"{path} / 2"}), zoo)
    assert list(made.manifest.inputs) == [path]
    artifact(Sample(model=model, seed=9), zoo).save(tmp_path / "ann.png")
    verdict = replay(made, zoo)
    assert not verdict.identical
    assert any("ann.png" in reason for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"directions": ("smile:1",)}, "no direction 'smile'"),
        ({"directions": ("pc0:1",), "classes": "owl"}, "knows no classes"),
        ({"directions": ("pc900:1",)}, "that there are"),
        ({"directions": ("pc0:1",), "seed": None, "start": "z|1|AAAAAA=="}, "are not of"),
    ],
)
def test_mistakes(zoo, folder, fields, said):
    with pytest.raises(Exception, match=said) as caught:
        artifact(edit(save_kind(folder, "dcgan"), **fields), zoo)
    assert "\n" not in str(caught.value)


def test_a_source_of_another_model(zoo, folder, tmp_path):
    artifact(Sample(model=save_kind(folder, "dcgan"), seed=1), zoo).save(tmp_path / "a.png")
    recipe = Edit(
        source=str(tmp_path / "a.png"), model=save_kind(folder, "biggan"), directions=("pc0:1",)
    )
    with pytest.raises(RecipeError, match=r"source: .* is of the model"):
        artifact(recipe, zoo)
