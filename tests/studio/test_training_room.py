"""Room to train: what cannot fit is refused before a network is built; what fits is not."""

import pytest
import torch
from torch import nn

from phosphene.core.errors import RecipeError
from phosphene.studio import training_room
from phosphene.studio.recipe import Train
from phosphene.studio.train import train
from phosphene.studio.training_room import check_networks, check_pictures
from phosphene.zoo import Zoo
from tests.studio.test_train_gan import data, recipe_of  # noqa: F401 (a fixture)

MIB = 2**20


@pytest.fixture
def there(monkeypatch):
    """Fake how much memory there is."""

    def fake(size: int | None) -> None:
        monkeypatch.setattr(training_room, "available_memory", lambda device: size)

    return fake


def wanted(**fields: object) -> Train:
    return Train(**{"learner": "gan", "steps": 1, "size": 64, "batch_size": 16, **fields})


def test_a_batch_of_pictures(there):
    there(16 * 3 * 64 * 64 * 4)
    check_pictures(wanted())
    check_pictures(wanted(batch_size=32), share=2)
    with pytest.raises(RecipeError, match=r"17 pictures of 64 x 64 px need .* GiB are available"):
        check_pictures(wanted(batch_size=17))
    with pytest.raises(RecipeError, match="64 x 65 px"):
        check_pictures(wanted(height=65))
    there(None)
    check_pictures(wanted(batch_size=4096, size=4096))


def test_networks_count_with_what_the_optimiser_keeps(there):
    def build() -> nn.Module:
        class Network(nn.Linear):
            def forward(self, z: torch.Tensor, classes: object = None) -> torch.Tensor:
                return super().forward(z)

        return Network(1024, 1024, bias=False)

    least = 5 * 4 * MIB  # weights, gradients, two moments, the average: 2^20 numbers each
    there(least - 1)
    with pytest.raises(RecipeError, match="batch_size: 1 pictures"):
        check_networks(wanted(batch_size=1), build, None, (1024, 0))
    there(least + MIB)
    check_networks(wanted(batch_size=1), build, None, (1024, 0))


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["dcgan", "progan", "fastgan", "stylegan2", "biggan"])
def test_no_family_is_built_that_cannot_fit(data, tmp_path, arch, there, phosphene_home):  # noqa: F811
    there(4 * MIB)
    settings = {"conditional": True} if arch == "biggan" else {}
    recipe = recipe_of(data, settings, batch_size=64, size=32).model_copy(
        update={"model": {"arch": arch, **({"attention_resolutions": []} if settings else {})}}
    )
    with pytest.raises(RecipeError, match="with this network"):
        list(train(recipe, Zoo(phosphene_home), folder=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_width_beyond_any_memory_is_refused_at_once(data, tmp_path, phosphene_home):  # noqa: F811
    recipe = recipe_of(data, batch_size=4096, size=256, model={"width": 4096})
    with pytest.raises(RecipeError, match="a smaller network"):
        list(train(recipe, Zoo(phosphene_home), folder=tmp_path / "run"))
