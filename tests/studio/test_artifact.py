import json

import pytest
import torch
from PIL import Image

import phosphene
from phosphene.core.errors import ImageError
from phosphene.core.images import save_png, to_uint8
from phosphene.studio.artifact import Platform, Surroundings, artifact_of, read_artifact
from phosphene.studio.recipe import Sheet
from tests.studio.fakes import tiny


def made():
    return artifact_of(
        torch.linspace(-1, 1, 3 * 16 * 16).view(3, 16, 16),
        tiny("Oregon 💚 \x1b\x00 | 画", count=2),
        1,
        5,
        Surroundings(
            models={"tiny": "ab"},
            inputs={"cat.png": "cd"},
            platform=Platform.here("cpu", "float32"),
        ),
    )


def test_a_picture_carries_its_manifest(tmp_path):
    artifact = made()
    artifact.save(tmp_path / "x.png")
    read = read_artifact(tmp_path / "x.png")
    assert read.manifest == artifact.manifest
    assert torch.equal(to_uint8(read.image), to_uint8(artifact.image))
    assert read.manifest.seed == 8
    assert read.manifest.iterations == 5
    assert read.manifest.phosphene == phosphene.__version__


def test_genes_travel_with_the_picture(tmp_path):
    assert made().manifest.genes == ""
    plain = made()
    whole = plain.manifest
    artifact = artifact_of(
        plain.image, whole.recipe, 0, 1, Surroundings(**dict(whole)), genes="z|1|AAAAAA=="
    )
    artifact.save(tmp_path / "x.png")
    assert read_artifact(tmp_path / "x.png").manifest.genes == "z|1|AAAAAA=="


def test_the_platform_is_described():
    here = Platform.here("cpu", "bfloat16")
    assert here.torch == torch.__version__
    assert here.threads == torch.get_num_threads()
    assert here.isa


def test_the_same_picture_is_the_same_file():
    assert made().png() == made().png()


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"recipe": {"kind": "train"}}),
        made().manifest.model_dump_json().replace('"seed":7', '"seed":7,"from_the_future":1'),
    ],
)
def test_a_recipe_that_cannot_be_read_is_told_in_one_line(tmp_path, text):
    save_png(made().image, tmp_path / "x.png", text)
    with pytest.raises(ImageError, match="another version") as caught:
        read_artifact(tmp_path / "x.png")
    assert "\n" not in str(caught.value)


def test_a_picture_made_elsewhere(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "x.png")
    with pytest.raises(ImageError, match="carries no phosphene recipe"):
        read_artifact(tmp_path / "x.png")


def test_what_a_picture_was_made_without_is_not_done_to_it_now(tmp_path):
    older = json.loads(made().manifest.model_dump_json())
    del older["recipe"]["start_noise"], older["recipe"]["repaint_every"]
    older["recipe"]["cut_noise"] = 0.3
    save_png(made().image, tmp_path / "x.png", json.dumps(older))
    recipe = read_artifact(tmp_path / "x.png").manifest.recipe
    assert (recipe.start_noise, recipe.repaint_every) == (0.3, 0)
    made().save(tmp_path / "y.png")
    assert read_artifact(tmp_path / "y.png").manifest.recipe == made().manifest.recipe


@pytest.mark.parametrize("kind", ["imagine", "sheet"])
def test_brackets_and_braces_of_older_pictures_are_text(tmp_path, kind):
    of = tiny("{a|b} (c:2)")
    recipe = of if kind == "imagine" else Sheet(of=of, vary=("seed=1-2",))
    artifact = artifact_of(made().image, recipe, 0, 5, Surroundings(**dict(made().manifest)))
    older = json.loads(artifact.manifest.model_dump_json())
    fields = older["recipe"] if kind == "imagine" else older["recipe"]["of"]
    del fields["alternatives"], fields["emphasis"], older["prompt"]
    save_png(made().image, tmp_path / "x.png", json.dumps(older))
    read = read_artifact(tmp_path / "x.png").manifest.recipe
    found = read if kind == "imagine" else read.of
    assert (found.alternatives, found.emphasis) == ("none", False)
    artifact.save(tmp_path / "y.png")
    assert read_artifact(tmp_path / "y.png").manifest.recipe == recipe


def test_the_prompt_of_a_picture_is_written_down_where_it_is_not_the_recipes():
    for given, kept in (("", ""), ("fox", "fox"), (made().manifest.recipe.prompt, "")):
        plain = made()
        surroundings = Surroundings(**dict(plain.manifest))
        recipe = plain.manifest.recipe
        artifact = artifact_of(plain.image, recipe, 0, 1, surroundings, prompt=given)
        assert artifact.manifest.prompt == kept
