import json

import pytest
import torch
from safetensors.torch import load_file

from phosphene.core.errors import RecipeError, StorageError, Unsupported
from phosphene.core.images import save_png
from phosphene.core.rng import Rng
from phosphene.core.team import Team
from phosphene.families.tokens.generator import TokenPainter
from phosphene.families.tokens.vqgan import VQGAN, VQGANConfig
from phosphene.nn.features import FeatureNet
from phosphene.prompting.perceptor import PerceptorConfig
from phosphene.studio.imagine import imagine
from phosphene.studio.recipe import Train
from phosphene.studio.settings import settings_of
from phosphene.studio.train import train
from phosphene.zoo import Zoo
from tests.reader import TEXT_DIM
from tests.studio.fakes import TINY, tiny
from tests.studio.illustrators import token_wish


class Parts(Zoo):
    """A zoo whose feature network needs no download."""

    def load(self, name, device=None, dtype=None):
        if name == "efficientnet-lite0":
            with torch.random.fork_rng():
                torch.manual_seed(0)  # the same network at every load
                network = FeatureNet()
            network.fold_batch_norm()
            return network
        return super().load(name, device, dtype)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for i in range(4):
        save_png(Rng((i,)).uniform(3, 32, 32, low=-1)[0], folder / f"{i}.png")
    return str(folder)


def recipe_of(data: str, **fields: object) -> Train:
    config = TINY.to_dict() | {"resolution": 32}
    values = {"learner": "vqgan", "steps": 4, "batch_size": 2, "size": 32, "name": "tiny"}
    model = {key: list(v) if isinstance(v, tuple) else v for key, v in config.items()}
    return Train(**{**values, "data": data, "model": model, "checkpoint_every": 2, **fields})


@pytest.mark.slow
def test_a_recipe_becomes_weights_that_the_zoo_opens(data, home, tmp_path):
    steps = list(train(recipe_of(data), Parts(home), folder=tmp_path))
    assert [step.index for step in steps] == [0, 1, 2, 3]
    assert all("l1" in step.scalars for step in steps)
    assert steps[-1].images is not None
    model = Zoo(home).load(str(tmp_path / "tiny.safetensors"))
    assert isinstance(model, VQGAN)
    assert model.config == VQGANConfig.from_dict(TINY.to_dict() | {"resolution": 32})
    rows = [json.loads(row) for row in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 3, 4]


@pytest.mark.slow
def test_a_training_resumes_by_itself_to_the_same_weights(data, home, tmp_path):
    zoo = Parts(home)
    list(train(recipe_of(data), zoo, folder=tmp_path / "whole"))
    for _ in range(2):
        steps = train(recipe_of(data), zoo, folder=tmp_path / "part")
        for step in steps:
            if step.index == 2:
                break
        steps.close()
    steps = list(train(recipe_of(data), zoo, folder=tmp_path / "part"))
    assert [step.index for step in steps] == [2, 3]
    whole, part = (tmp_path / n / "tiny.safetensors" for n in ("whole", "part"))
    assert whole.read_bytes() == part.read_bytes()


@pytest.mark.slow
def test_weights_paint(data, home, tmp_path):
    list(train(recipe_of(data, steps=1), Parts(home), folder=tmp_path))
    from phosphene.studio.run import run

    *_, last = run(tiny(model=str(tmp_path / "tiny.safetensors"), iterations=1), Zoo(home))
    assert last.artifact.image.shape == (3, 16, 16)
    assert len(last.artifact.manifest.models) == 2


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"data": None}, RecipeError, "no data to learn from"),
        ({"data": "none"}, RecipeError, "no training data at 'none'"),
        ({"model": {"chanels": 3}}, RecipeError, "did you mean 'channels'"),
        ({"model": {"channels": "wide"}}, RecipeError, "model.channels: 'wide'"),
        ({"settings": {"emma": 0.9}}, RecipeError, "did you mean 'ema'"),
        ({"learner": "sketches", "painter": "tiny-judge"}, Unsupported, "no autoencoder"),
    ],
)
def test_mistakes_leave_nothing_behind(data, home, tmp_path, fields, error, said):
    with pytest.raises(error, match=said) as caught:
        next(train(recipe_of(**{"data": data, **fields}), Parts(home), folder=tmp_path / "run"))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_where_and_on_what(data, home, tmp_path):
    with pytest.raises(RecipeError, match="no folder to train in"):
        next(train(recipe_of(data), Parts(home)))
    with pytest.raises(Unsupported, match="on the CPU"):
        next(train(recipe_of(data), Parts(home), "cuda", tmp_path))
    output = tmp_path / "named"
    list(train(recipe_of(data, steps=1, output=str(output)), Parts(home)))
    assert (output / "tiny.safetensors").is_file()
    with pytest.raises(StorageError, match="another run"):
        next(train(recipe_of(data), Parts(home), folder=output))


def test_settings_become_dataclasses():
    config = settings_of(PerceptorConfig, {"embed_dim": 8}, "model")
    assert config == PerceptorConfig(embed_dim=8)
    mults = settings_of(VQGANConfig, {"channel_mults": [1, 2]}, "model").channel_mults
    assert mults == (1, 2)


def test_sketches_are_drawn_by_one_process(data, home, tmp_path):
    recipe = recipe_of(data, learner="sketches", painter="x", model={})
    with pytest.raises(Unsupported, match="by one process, not by 2; leave --devices"):
        list(train(recipe, Parts(home), folder=tmp_path, team=Team(0, 2)))
    assert not list(tmp_path.iterdir())


def test_a_batch_that_two_processes_cannot_share(data, home, tmp_path):
    recipe = recipe_of(data, batch_size=3)
    with pytest.raises(RecipeError, match="a batch of 3 cannot be shared out over 2 processes"):
        list(train(recipe, Parts(home), folder=tmp_path / "run", team=Team(1, 2)))
    assert not (tmp_path / "run").exists()


def tokens_of(data: str, **fields: object) -> Train:
    """A recipe for a transformer over `tiny-vqgan`'s tokens."""
    shape = {"grid_size": 4, "group_size": 2, "width": 16, "heads": 2, "layers": 1}
    small = {"token_width": 8, "local_width": 16, "text_dim": TEXT_DIM, "text_length": 4}
    own = {"learner": "tokens", "painter": "tiny-vqgan", "text": "tiny-text", "size": 16}
    return recipe_of(data, **{**own, "model": {**shape, **small}, **fields})


def test_tokens_are_learnt_from_what_is_encoded_once(data, home, tmp_path):
    """And what comes out paints by its path."""
    list(train(tokens_of(data), Zoo(home), folder=tmp_path))
    (shard,) = (tmp_path / "codes").iterdir()
    assert load_file(shard)["codes"].dtype is torch.int16
    made = str(tmp_path / "tiny.safetensors")
    painter = Zoo(home).load(made)
    assert isinstance(painter, TokenPainter)
    assert painter.network.config.vocab == TINY.codebook_size
    *_, last = imagine(token_wish(model=made), Zoo(home))
    assert last.artifact.image.shape == (3, 16, 16)


def test_learning_tokens_resumes_by_itself_to_the_same_weights(data, home, tmp_path):
    list(train(tokens_of(data), Zoo(home), folder=tmp_path / "whole"))
    steps = train(tokens_of(data), Zoo(home), folder=tmp_path / "part")
    for step in steps:
        if step.index == 2:
            break
    steps.close()
    list(train(tokens_of(data), Zoo(home), folder=tmp_path / "part"))
    whole, part = (tmp_path / n / "tiny.safetensors" for n in ("whole", "part"))
    assert whole.read_bytes() == part.read_bytes()


@pytest.mark.parametrize("learner", ["tokens", "diffusion"])
def test_without_a_painter_there_are_no_codes(data, home, tmp_path, learner):
    recipe = tokens_of(data, learner=learner, painter=None)
    with pytest.raises(RecipeError, match=f"{learner} needs an autoencoder .* name a painter"):
        list(train(recipe, Zoo(home), folder=tmp_path / "run"))
