"""The GAN learner: it learns, its settings do what they say, and it continues bit for bit."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import phosphene
from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.images import from_uint8
from phosphene.core.protocols import Learner
from phosphene.core.rng import Rng
from phosphene.families.gan.dcgan import DCGANConfig, Discriminator, Generator
from phosphene.families.gan.settings import GANTraining
from phosphene.families.gan.training import GANLearner
from phosphene.training.augment import AdaptiveAugment, DiffAugment, NoAugment
from phosphene.training.checkpoint import load_state, save_state
from phosphene.training.loop import CHECKPOINT
from tests.families.gan import gan_run
from tests.families.gan.toy_networks import ToyStyled

RNG = Rng((3,), "/test")
TINY = DCGANConfig(resolution=16, z_dim=8, width=8, d_width=8, d_norm="none")


def learner(
    config: DCGANConfig = TINY, augment: NoAugment | None = None, seed: int = 0, **settings: Any
) -> GANLearner:
    torch.manual_seed(seed)
    network, average, judge = Generator(config), Generator(config), Discriminator(config)
    names = tuple(f"class {i}" for i in range(config.num_classes))
    return GANLearner(
        network,
        average,
        judge,
        GANTraining(**{"bf16": False, **settings}),
        augment or NoAugment(),
        config=config.to_dict(),
        class_names=names,
    )


def pictures(count: int = 8) -> dict[str, Tensor]:
    """Flat pictures with a square of another colour, uint8, in two classes by the ground."""
    generator = torch.Generator().manual_seed(5)
    colours = torch.randint(256, (2, count, 3, 1, 1), generator=generator)
    images = colours[0].expand(-1, -1, 16, 16).clone()
    images[:, :, 4:12, 4:12] = colours[1]
    classes = torch.arange(count) % 2
    images[classes == 1, :, :2] = 255
    return {"images": images.to(torch.uint8), "classes": classes}


def digest(state: object) -> str:
    """Sha256 of every tensor and number of a nested state, in order."""
    total = hashlib.sha256()

    def add(value: object) -> None:
        if isinstance(value, Tensor):
            total.update(value.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        elif isinstance(value, Mapping):
            for inner in value.values():
                add(inner)
        elif isinstance(value, list | tuple):
            for inner in value:
                add(inner)
        else:
            total.update(repr(value).encode())

    add(state)
    return total.hexdigest()


def run(student: GANLearner, first: int, last: int, batch: Mapping[str, Tensor]) -> None:
    for i in range(first, last):
        student.step(batch, i, 20, RNG.fork(i))


def test_is_a_learner() -> None:
    assert isinstance(learner(), Learner)


@pytest.mark.slow
def test_overfits_eight_pictures() -> None:
    """With a class each, the averaged generator paints all eight: from afar to near."""
    config = DCGANConfig(
        resolution=16, z_dim=4, width=16, d_width=16, num_classes=8, d_norm="spectral"
    )
    student = learner(config, loss="hinge", g_rate=4e-3, d_rate=4e-3, ema_kimg=0.05)
    batch = {**pictures(), "classes": torch.arange(8)}
    real, average = from_uint8(batch["images"]), student.average
    condition = average.condition_of(list(range(8)))

    def distance() -> float:
        painted = average.decode(average.draw(Rng.from_seed(0, 8)), condition)
        return float((painted - real).abs().mean())

    before = distance()
    for i in range(80):
        log = student.step(batch, i, 80, RNG.fork(i))
    assert before > 0.45
    assert distance() < 0.2
    assert 0.6 < log["diversity"] < 1.4


def test_diversity_is_that_within_classes() -> None:
    """One picture a class is a collapse, however different the classes are."""
    student = learner(DCGANConfig(resolution=16, z_dim=8, width=8, num_classes=2))
    classes = torch.eye(2)[[0, 1, 0, 1, 0, 1]]
    noise = torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    alike = (classes[:, :1, None, None] * 2 - 1).expand(6, 3, 16, 16)
    assert student._spread(alike, classes) == pytest.approx(0.0, abs=1e-6)
    assert student._spread(alike, None) == pytest.approx((6 / 5) ** 0.5, rel=1e-5)
    # deviations from the classes' means, of 6 - 2 degrees of freedom
    means = torch.stack([noise[::2].mean(0), noise[1::2].mean(0)]).repeat(3, 1, 1, 1)
    expected = ((noise - means).square().sum(0) / 4).sqrt().mean()
    assert student._spread(noise, classes) == pytest.approx(float(expected), rel=1e-5)
    assert student._spread(noise, None) == pytest.approx(float(noise.std(0).mean()), rel=1e-5)
    # no class comes twice, or one picture: nothing to tell within classes
    assert student._spread(noise[:2], classes[:2]) == student._spread(noise[:2], None)
    assert student._spread(noise[:1], classes[:1]) == 1.0


SETTINGS: dict[str, tuple[DCGANConfig, NoAugment, dict[str, Any]]] = {
    "plain": (TINY, NoAugment(), {}),
    "conditional, all penalties, ADA": (
        DCGANConfig(resolution=16, z_dim=8, width=8, d_width=8, num_classes=2, d_norm="spectral"),
        AdaptiveAugment(target=-1.0, kimg=0.05),
        {"r1_gamma": 1.0, "r1_every": 3, "gp_weight": 1.0, "loss": "wasserstein", "d_steps": 2},
    ),
    "batch norm, bf16, accumulated": (
        DCGANConfig(resolution=16, z_dim=8, width=8, d_width=8),
        DiffAugment(),
        {"bf16": True, "accumulate": 2, "g_steps": 2, "prior": "uniform", "mirror_prob": 0.5},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_straight_is_the_same_as_stopped_and_resumed(name: str, tmp_path: Path) -> None:
    """N steps straight equal k steps, a checkpoint on disk, N - k steps: every bit of the state."""
    config, augment, settings = SETTINGS[name]
    batch = pictures()
    start = augment.state()
    straight = learner(config, augment, **settings)
    run(straight, 0, 9, batch)
    expected = digest(straight.state())
    augment.load_state(start)
    stopped = learner(config, augment, **settings)
    run(stopped, 0, 5, batch)
    save_state(tmp_path / "x", stopped.state())
    augment.load_state(start)
    resumed = learner(config, augment, seed=1, **settings)
    assert digest(resumed.state()) != digest(stopped.state())
    resumed.load_state(load_state(tmp_path / "x"))
    run(resumed, 5, 9, batch)
    assert digest(resumed.state()) == expected
    assert torch.equal(resumed.preview(batch, RNG), straight.preview(batch, RNG))


def test_the_log() -> None:
    student = learner(r1_gamma=1.0, r1_every=2)
    first, second = (student.step(pictures(), i, 4, RNG.fork(i)) for i in range(2))
    wanted = {"d", "g", "d_real", "d_fake", "diversity", "augment", "rate"}
    assert set(first) == wanted | {"r1"}
    assert set(second) == wanted
    assert 0 <= first["d_real"] <= 1


def test_accumulating_gives_the_gradient_of_the_whole_batch() -> None:
    """Losses are means, so parts of equal size average to the whole; fakes differ by their draw."""
    batch = pictures(4)
    whole, parted = learner(loss="least-squares"), learner(loss="least-squares", accumulate=2)
    for student in (whole, parted):
        student.network.zero_grad()
    real, _ = whole._real(batch, RNG)
    torch.autograd.backward(whole._judge(real, None).mean())
    for part in real.chunk(2):
        torch.autograd.backward(parted._judge(part, None).mean() / 2)
    for a, b in zip(
        whole.discriminator.parameters(), parted.discriminator.parameters(), strict=True
    ):
        torch.testing.assert_close(a.grad, b.grad)
    assert [len(p) for p in parted._parts(real, None)] == [2]
    assert [len(p) for p in learner(d_steps=2)._parts(real, None)] == [1, 1]
    with pytest.raises(RecipeError, match=r"batch of 4 cannot be shared out .* multiple of 3"):
        learner(d_steps=3)._parts(real, None)


def test_rates() -> None:
    """TTUR, the lazy share k / (k + 1), decay to a tenth, and tempering after a collapse."""
    student = learner(g_rate=1e-3, d_rate=4e-3, r1_gamma=1.0, r1_every=16, decay_start=0.5)
    student._prepare(0, 100)
    assert student.g_optimizer.param_groups[0]["lr"] == pytest.approx(1e-3)
    assert student.d_optimizer.param_groups[0]["lr"] == pytest.approx(4e-3 * 16 / 17)
    assert student.d_optimizer.param_groups[0]["betas"] == pytest.approx((0.0, 0.99 ** (16 / 17)))
    assert student._rate(1.0, 75, 100) == pytest.approx(1 - 0.9 / 2)
    assert student._rate(1.0, 100, 100) == pytest.approx(0.1)
    student.temper(0.5)
    assert student._rate(1.0, 0, 100) == 0.5
    again = learner()
    again.load_state(student.state())
    assert again.rate_scale == 0.5


def test_the_average_has_its_half_life() -> None:
    """After n pictures of a half-life of h, the old weights count (1/2)^(n/h)."""
    student = learner(ema_kimg=0.008)
    old = {k: v.clone() for k, v in student.average.network.state_dict().items()}
    with torch.no_grad():
        for parameter in student.network.parameters():
            parameter.add_(1.0)
    for _ in range(3):
        student._average_weights(8, 10_000)
    for name, value in student.average.network.state_dict().items():
        if name.endswith("weight"):
            torch.testing.assert_close(value, old[name] + 1 - 0.5**3, atol=1e-5, rtol=0)


def test_sheets_show_one_class_a_column() -> None:
    config = DCGANConfig(resolution=16, z_dim=8, width=8, d_width=8, num_classes=2, d_norm="none")
    student = learner(config)
    assert student.sheet_columns == 2
    sheet = student.preview({}, RNG)
    assert len(sheet) == 64
    average = student.average
    z = average.draw(Rng((1, 1)))
    expected = average.decode(z, average.condition_of([0, 1])).clamp(-1, 1)
    torch.testing.assert_close(sheet[2:4], expected)
    network, shipped = student.export()
    assert isinstance(network, nn.Module)
    assert shipped["class_names"] == ["class 0", "class 1"]
    assert shipped["prior"] == "normal"


def test_batches_that_do_not_fit() -> None:
    with pytest.raises(RecipeError, match=r"\[3, 8, 8\] for a network of \[3, 16, 16\]"):
        learner().step({"images": torch.zeros(2, 3, 8, 8, dtype=torch.uint8)}, 0, 1, RNG)
    conditional = learner(DCGANConfig(resolution=16, z_dim=8, width=8, d_width=8, num_classes=2))
    with pytest.raises(RecipeError, match="no classes"):
        conditional.step({"images": pictures()["images"]}, 0, 1, RNG)


class SquareJudge(nn.Module):
    """The mean picture, weighted."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, images: Tensor, classes: Tensor | None = None) -> Tensor:
        return self.weight * images.mean((1, 2, 3))


class Stretched(ToyStyled):
    """A styled network whose pictures grow with a learnt factor."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(4.0))

        self.tracked = 0

    def mapping(self, z: Tensor, classes: Tensor | None = None) -> Tensor:
        return self.gain * z

    def track(self, w: Tensor) -> None:
        self.tracked += 1

    def synthesis(self, ws: Tensor, noise: Any = None) -> Tensor:
        return self.gain * super().synthesis(ws, noise)


def styled(**settings: Any) -> GANLearner:
    return GANLearner(
        Stretched(),
        Stretched(),
        SquareJudge(),
        GANTraining(bf16=False, **settings),
        NoAugment(),
        config={},
    )


def test_styled_networks_mix_and_even_out_their_paths() -> None:
    student = styled(path_weight=2.0, path_every=1, style_mixing_prob=1.0)
    batch = {"images": torch.zeros(4, 3, 4, 4, dtype=torch.uint8)}
    log = student.step(batch, 0, 10, RNG)
    assert {"path", "path_length"} <= set(log)
    assert student.network.tracked == 2  # in the step of G, and of the path lengths
    images, ws = student._paint(6, None, RNG)
    assert ws is not None
    assert images.shape == (6, 3, 4, 4)
    assert not ws[:, 0].eq(ws[:, 1]).all(1).any()  # every sample crosses at layer 1
    _, plain = styled()._paint(6, None, RNG)
    assert plain is not None
    assert torch.equal(plain[:, 0], plain[:, 1])


def test_a_discriminator_may_bound_what_it_is_shown() -> None:
    class Bounded(SquareJudge):
        def bound(self, images: Tensor) -> Tensor:
            return images.clamp(-0.25, 0.25)

    student = GANLearner(
        Stretched(), Stretched(), Bounded(), GANTraining(bf16=False), NoAugment(), config={}
    )
    assert float(student._paint(6, None, RNG)[0].detach().abs().max()) == 0.25
    assert float(styled()._paint(6, None, RNG)[0].detach().abs().max()) > 0.25


def test_styles_are_asked_of_styled_networks_alone() -> None:
    with pytest.raises(Unsupported, match="networks with styles"):
        learner(path_weight=1.0)


@pytest.mark.slow
def test_killed_and_resumed_through_the_loop(tmp_path: Path) -> None:
    """N steps straight equal k steps, `kill -9`, N - k steps, bit for bit: the last checkpoint."""
    sources = os.pathsep.join(
        [str(Path(phosphene.__file__).parents[1]), str(Path(__file__).parents[3])]
    )
    killed = subprocess.run(
        [sys.executable, gan_run.__file__, str(tmp_path / "killed"), "9", "6"],
        env={
            **os.environ,
            "PYTHONPATH": sources,
            "OMP_NUM_THREADS": str(torch.get_num_threads()),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr
    assert load_state(tmp_path / "killed" / CHECKPOINT)["index"] == 4
    gan_run.run(tmp_path / "killed", 9)
    gan_run.run(tmp_path / "straight", 9)
    ours, theirs = ((tmp_path / name / CHECKPOINT).read_bytes() for name in ("killed", "straight"))
    assert ours == theirs
