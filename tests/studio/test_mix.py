"""Style mixing: rows and columns, the layers in between, replay, mistakes."""

import pytest
import torch

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.latent import Latent, Space
from phosphene.core.lettering import GAP
from phosphene.explore.walk import Moment
from phosphene.studio.dreamer import set_up
from phosphene.studio.mix import mix
from phosphene.studio.recipe import Mix
from phosphene.studio.replay import replay
from tests.studio.gan_zoo import gan_zoo, save_styled


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    home = tmp_path_factory.mktemp("gans")
    zoo, animals, _ = gan_zoo(home)
    by_class = str(save_styled(home / "both.safetensors", ("fox", "owl")))
    return zoo, {
        "animals": animals,
        "styled": str(save_styled(home / "styled.safetensors")),
        "both": by_class,
    }


def painted(models, name="styled", **fields):
    zoo, paths = models
    asked = {"rows": "1,2", "columns": "5-7", "layers": "0-1", **fields}
    return list(mix(Mix(model=paths[name], **asked), zoo))


def test_a_picture_has_its_rows_styles_and_its_columns_in_some_layers(models):
    steps = painted(models)
    assert [step.index for step in steps] == list(range(12))
    assert {step.total for step in steps} == {12}
    above, first, second = steps[:3], steps[3:7], steps[7:11]
    dreamer = set_up(Mix(model=models[1]["styled"]), models[0])

    def picture(row, column):
        ws = [dreamer.styles(Latent(Space.Z, dreamer.z(s)), None).data for s in (row, column)]
        mixed = torch.cat([ws[1][:, :2], ws[0][:, 2:]], dim=1)
        return dreamer.paint(Moment(Latent(Space.W_PLUS, mixed), None, None))

    for i, row in enumerate((1, 2)):
        shown = (first, second)[i]
        assert torch.equal(shown[0].images, picture(row, row))
        for j, column in enumerate((5, 6, 7)):
            assert torch.equal(shown[1 + j].images, picture(row, column))
            assert torch.equal(above[j].images, picture(column, column))


def test_all_layers_are_the_column_and_a_seed_with_itself_is_itself(models):
    steps = painted(models, layers="all", rows="1", columns="5,1")
    above, row = steps[:2], steps[2:5]
    assert torch.equal(row[1].images, above[0].images)
    assert torch.equal(row[2].images, row[0].images)


def test_the_sheet_replays(models, tmp_path):
    *_, last = painted(models, "both", classes="fox:0.5+owl:0.5", truncation_psi=0.7)
    assert last.artifact.image.shape[1] > 3 * (16 + GAP)
    last.artifact.save(tmp_path / "x.png")
    assert replay(tmp_path / "x.png", models[0]).identical
    assert last.artifact.manifest.seed == 1


def test_psi_0_leaves_one_style(models):
    frames = [step.images for step in painted(models, truncation_psi=0.0)[:-1]]
    assert all(torch.equal(frame, frames[0]) for frame in frames)


@pytest.mark.parametrize(
    ("name", "fields", "error", "said"),
    [
        ("animals", {}, Unsupported, "has no styles to mix; take a StyleGAN"),
        ("styled", {"layers": "corse"}, RecipeError, "no styles 'corse'"),
        ("styled", {"layers": "3-9"}, RecipeError, "this model has 6"),
        ("styled", {"classes": "fox"}, Unsupported, "knows no classes"),
        ("both", {"classes": "dog"}, RecipeError, "no class 'dog'"),
    ],
)
def test_mistakes(models, name, fields, error, said):
    with pytest.raises(error, match=said):
        painted(models, name, **fields)
