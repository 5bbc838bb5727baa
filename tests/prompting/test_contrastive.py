"""Contrastive training on eight tiny pictures: views, learning, and exact continuation."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.images import to_uint8
from phosphene.core.latent import Condition, Latent, LatentSpec, Space
from phosphene.core.protocols import Autoencoder, Learner
from phosphene.core.rng import Rng
from phosphene.nn.features import FeatureNet
from phosphene.prompting.contrastive import ContrastiveLearner, ContrastiveTraining
from phosphene.training.checkpoint import load_state, save_state
from tests.prompting.test_perceptor import CONFIG, FakeReader, lively

SETTINGS = ContrastiveTraining(warmup_steps=2, small_size=32, noise_sigma=0.1)
COLOURS = [(r, g, b) for r in (-1.0, 1.0) for g in (-1.0, 1.0) for b in (-1.0, 1.0)]
CAPTIONS = ["black", "blue", "green", "cyan", "red", "pink", "yellow", "white"]


class Mosaic:
    """An autoencoder whose codes are the mean colours of 8 px squares."""

    spec = LatentSpec(Space.CODES, (3, None, None))

    def encode(self, images: Tensor) -> Latent:
        return Latent(Space.CODES, F.avg_pool2d(images, 8))

    def snap(self, codes: Latent) -> Latent:
        return codes

    def confine(self, codes: Latent) -> Latent:
        return codes

    def tokens(self, codes: Latent) -> Latent:
        return Latent(Space.TOKENS, codes.data.sign().mean(dim=1).long())

    def decode(self, latent: Latent, condition: Condition | None = None) -> Tensor:
        return F.interpolate(latent.data, scale_factor=8.0)


@cache
def features() -> dict[str, Tensor]:
    torch.manual_seed(0)
    network = FeatureNet()
    network.fold_batch_norm()
    lively(network)
    return network.state_dict()


def learner(
    seed: int = 0, painter: Autoencoder | None = None, **changes: Any
) -> ContrastiveLearner:
    settings = {name: getattr(SETTINGS, name) for name in SETTINGS.__slots__} | changes
    training = ContrastiveTraining(**settings)
    return ContrastiveLearner(CONFIG, training, FakeReader(), features(), painter, Rng((seed,)))


def batch(size: int = 32) -> dict[str, Any]:
    images = torch.tensor(COLOURS)[:, :, None, None].expand(-1, -1, size, size)
    return {"images": to_uint8(images), "captions": CAPTIONS}


def pictures(count: int = 8, size: int = 32) -> Tensor:
    return torch.rand(count, 3, size, size) * 2 - 1


def test_is_a_learner() -> None:
    assert isinstance(Mosaic(), Autoencoder)
    assert isinstance(learner(), Learner)


@pytest.mark.slow
def test_learns_to_name_colours() -> None:
    it, rng = learner(learning_rate=3e-3), Rng((0,))
    logs = [it.step(batch(), index, 12, rng.fork(index)) for index in range(12)]
    early, late = logs[:3], logs[-3:]
    for name in ("loss", "attacked_loss"):
        assert sum(log[name] for log in late) < 0.7 * sum(log[name] for log in early)
    assert sum(log["accuracy"] for log in late) > sum(log["accuracy"] for log in early)
    assert all(torch.isfinite(torch.tensor(list(log.values()))).all() for log in logs)


@pytest.mark.slow
def test_continues_bit_for_bit(tmp_path: Path) -> None:
    straight, rng = learner(), Rng((0,))
    for index in range(2):
        straight.step(batch(), index, 4, rng.fork(index))
    save_state(tmp_path / "state", {"learner": straight.state()})
    resumed = learner(seed=5)
    resumed.load_state(load_state(tmp_path / "state")["learner"])
    for index in range(2, 4):
        for one in (straight, resumed):
            one.step(batch(), index, 4, rng.fork(index))
    for name, tensor in straight.average.state_dict().items():
        assert torch.equal(tensor, resumed.average.state_dict()[name]), name
    for name, tensor in straight.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


def test_weights_depend_on_the_seed_alone() -> None:
    before = torch.random.get_rng_state()
    first = learner(3)
    torch.random.set_rng_state(before)
    torch.rand(7)
    second, other = learner(3), learner(4)
    assert torch.equal(first.model.image.project.weight, second.model.image.project.weight)
    assert not torch.equal(first.model.image.project.weight, other.model.image.project.weight)


def test_leaves_the_global_stream_alone() -> None:
    weights = features()
    before = torch.random.get_rng_state()
    it = ContrastiveLearner(CONFIG, SETTINGS, FakeReader(), weights, Mosaic(), Rng((0,)))
    it.step(batch(), 0, 2, Rng((0,)))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_views_are_the_streams() -> None:
    it, images, rng = learner(), pictures(), Rng((3,)).fork("step")
    views = it.views(images, rng, 24)
    assert views.shape == (8, 3, 24, 24)
    assert torch.equal(views, it.views(images, rng, 24))
    assert not torch.equal(views, it.views(images, rng.fork(1), 24))
    quiet = learner(noise_sigma=0.0).views(images, rng, 24)
    assert quiet.abs().max() <= 1


def test_shrunk_views_do_not_alias() -> None:
    stripes = torch.ones(8, 3, 32, 32)
    stripes[..., ::2] = -1
    views = learner(noise_sigma=0.0, smallest_crop=1.0).views(stripes, Rng((0,)), 8)
    assert views.mean(dim=(1, 2, 3)).abs().max() < 0.05  # a point sampler: 0.15


def test_rounds_are_fresh_looks_at_one_batch() -> None:
    once, twice = learner(rounds=1), learner(rounds=2)
    for it in (once, twice):
        it.step(batch(), 0, 4, Rng((0,)))
    steps = [float(next(iter(it.optimizer.state.values()))["step"]) for it in (once, twice)]
    assert steps == [2, 4]  # clean and attacked, each round
    with pytest.raises(RecipeError, match="rounds 0"):
        learner(rounds=0)


def test_preview_shows_views() -> None:
    shown = learner(painter=Mosaic()).preview(batch(), Rng((0,)))
    assert shown.shape == (8, 3, 32, 32)
    assert shown.abs().max() <= 1


def test_a_share_is_repainted_with_wrong_codes() -> None:
    images, rng = pictures(), Rng((0,))
    faithful = learner(painter=Mosaic(), repainted_prob=0.5, wrong_code_prob=0.0)
    repainted = faithful._repaint(images, rng)
    wanted = Mosaic().decode(Mosaic().encode(images[:4]))
    torch.testing.assert_close(repainted[:4], wanted)
    assert torch.equal(repainted[4:], images[4:])
    careless = learner(painter=Mosaic(), repainted_prob=0.5, wrong_code_prob=1.0)
    wrong = (careless._repaint(images, rng)[:4] != wanted).any(dim=1).float().mean()
    assert 0.2 < float(wrong) < 0.8
    assert torch.equal(learner(painter=Mosaic(), repainted_prob=0.0)._repaint(images, rng), images)


def test_the_average_is_what_ships() -> None:
    it = learner()
    it.step(batch(), 0, 2, Rng((0,)))
    network, config = it.export()
    assert network is it.average
    assert config == CONFIG.to_dict()
    assert not any(p.requires_grad for p in network.parameters())


def test_foreign_features_are_refused() -> None:
    unfolded = FeatureNet().state_dict()
    with pytest.raises(CheckpointError, match="image features"):
        ContrastiveLearner(CONFIG, SETTINGS, FakeReader(), unfolded, None, Rng((0,)))


@pytest.mark.slow
def test_learns_where_its_gradient_should_point() -> None:
    """The cosine of gradient and way rises; without the lesson nobody asks."""
    half = torch.cat([torch.full((32, 16), -0.8), torch.full((32, 16), 0.8)], dim=1)
    split = torch.tensor(COLOURS)[:, :, None, None] * half
    shown = {"images": to_uint8(split), "captions": CAPTIONS}
    model = learner(
        drawing_weight=1.0, learning_rate=3e-3, image_share=1.0, rounds=1, warmup_steps=1
    )
    cosines = [model.step(shown, i, 40, Rng((i,)))["drawing_cosine"] for i in range(40)]
    assert sum(cosines[-10:]) / 10 > sum(cosines[:10]) / 10 + 0.06
    assert "drawing_cosine" not in learner().step(shown, 0, 1, Rng((0,)))
