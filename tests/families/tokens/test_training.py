"""The VQGAN's learner: it learns, wastes no codes, and continues bit for bit."""

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.core.errors import Unsupported
from phosphene.core.images import from_uint8
from phosphene.core.protocols import Learner
from phosphene.core.rng import Rng
from phosphene.families.tokens import training
from phosphene.families.tokens.training import VQGANLearner, VQGANTraining, balanced
from phosphene.families.tokens.vqgan import VQGAN, VQGANConfig
from phosphene.training.checkpoint import load_state, save_state

TINY = VQGANConfig(
    resolution=16,
    channels=16,
    channel_mults=(1, 2),
    num_res_blocks=1,
    attention_resolutions=(),
    z_channels=16,
    embed_dim=4,
    codebook_size=16,
    codebook="cosine",
)
RNG = Rng((3,), "/test")
STATES = ("model", "average", "discriminator")


class Blurred:
    """A `Distance` that needs no network: mean square difference of pictures at half size."""

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        return (F.avg_pool2d(a, 2) - F.avg_pool2d(b, 2)).square().mean(dim=(1, 2, 3))


def learner(seed: int = 0, config: VQGANConfig = TINY, **settings: float) -> VQGANLearner:
    made = VQGANTraining(**{"warmup_steps": 1, **settings})  # type: ignore[arg-type]
    return VQGANLearner(config, made, Blurred(), Rng((seed,)))


def pictures(count: int = 8) -> dict[str, Tensor]:
    """Flat pictures with a square of another colour, uint8."""
    generator = torch.Generator().manual_seed(5)
    colours = torch.randint(256, (2, count, 3, 1, 1), generator=generator)
    images = colours[0].expand(-1, -1, 16, 16).clone()
    images[:, :, 4:12, 4:12] = colours[1]
    return {"images": images.to(torch.uint8)}


def digest(state: Mapping[str, object]) -> str:
    """Sha256 of every tensor of a nested state, in order."""
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


def test_is_a_learner() -> None:
    assert isinstance(learner(), Learner)


@pytest.mark.slow
def test_overfits_eight_pictures() -> None:
    changes = {"codebook": "euclidean", "shortcut": True, "codebook_size": 32, "embed_dim": 8}
    config = VQGANConfig.from_dict({**TINY.to_dict(), **changes})
    student = learner(config=config, learning_rate=4e-3, adversarial_start=2.0)
    batch, total = pictures(), 80
    logs = [student.step(batch, i, total, RNG.fork(i)) for i in range(total)]
    assert logs[-1]["l1"] < 0.25 * logs[0]["l1"]
    assert logs[-1]["l1"] < 0.12
    assert logs[-1]["codes_used"] > 0.9
    assert "g" not in logs[-1]


@pytest.mark.slow
def test_the_discriminator_joins_later() -> None:
    student, batch = learner(adversarial_start=0.75), pictures(2)
    logs = [student.step(batch, i, 4, RNG.fork(i)) for i in range(4)]
    assert ["g" in log and "d" in log for log in logs] == [False, False, False, True]
    assert all(p.requires_grad for p in student.discriminator.parameters())


def test_the_first_codebook_is_made_of_real_codes() -> None:
    """An entry that the first batch uses becomes the mean of what it stood for, others a code."""
    student, batch = learner(), pictures()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        images = from_uint8(batch["images"]).contiguous(memory_format=torch.channels_last)
        codes = student.model.quant_conv(student.model.encoder(images)).float()
        codes = F.normalize(codes, dim=1)
        tokens = student.model.quantize.nearest(codes).flatten()
    student.step(batch, 0, 10, RNG)
    pool = codes.permute(0, 2, 3, 1).flatten(0, 2)
    table = student.model.quantize.embedding.weight.detach()
    for i in range(len(table)):
        if (tokens == i).any():
            torch.testing.assert_close(table[i], pool[tokens == i].mean(0), atol=1e-4, rtol=0)
        else:
            assert (table[i] == pool).all(1).any()


def test_dead_codes_are_revived() -> None:
    student, batch = learner(), pictures()
    student.step(batch, 0, 10, RNG.fork(0))
    with torch.no_grad():  # all but one lie where no code comes
        student.model.quantize.embedding.weight[1:] = -student.model.quantize.embedding.weight[0]
    student.usage.zero_()
    log = student.step(batch, 1, 10, RNG.fork(1))
    assert log["codes_used"] == 1
    table = student.model.quantize.entries().detach()
    assert len(torch.unique(table.round(decimals=3), dim=0)) > 4
    torch.testing.assert_close(table.norm(dim=1), torch.ones(len(table)))


def test_average_follows_the_model() -> None:
    student, batch = learner(ema=0.9), pictures(2)
    for index in (0, 50):
        before = {k: v.clone() for k, v in student.average.state_dict().items()}
        student.step(batch, index, 100, RNG.fork(index))
        decay = min(0.9, (1 + index) / (10 + index))
        current = student.model.state_dict()
        for name, value in student.average.state_dict().items():
            wanted = decay * before[name] + (1 - decay) * current[name]
            if name.startswith("quantize."):
                wanted = current[name]  # a running mean already
            torch.testing.assert_close(value, wanted, atol=1e-6, rtol=1e-5)
    assert not any(p.requires_grad for p in student.average.parameters())


@pytest.fixture(params=["fp32", "bf16"])
def precision(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The learner computes in bf16 by autocast; without that, in fp32."""
    if request.param == "fp32":
        monkeypatch.setattr(training.torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    return request.param


@pytest.mark.slow
def test_continues_bit_for_bit(precision: str, tmp_path: Path) -> None:
    """Straight through, against a stop in the middle and another learner that takes over."""
    batch, total = pictures(4), 6
    straight = learner(adversarial_start=0.5)
    for i in range(total):
        straight.step(batch, i, total, RNG.fork(i))
    stopped = learner(adversarial_start=0.5)
    for i in range(4):
        stopped.step(batch, i, total, RNG.fork(i))
    save_state(tmp_path / "x.safetensors", stopped.state())
    resumed = learner(seed=99, adversarial_start=0.5)
    assert digest(resumed.state()) != digest(stopped.state())
    resumed.load_state(load_state(tmp_path / "x.safetensors"))
    assert digest(resumed.state()) == digest(stopped.state())
    for i in range(4, total):
        resumed.step(batch, i, total, RNG.fork(i))
    for part in STATES:
        assert digest(resumed.state()[part]) == digest(straight.state()[part]), (precision, part)
    assert digest(resumed.state()) == digest(straight.state())


def test_the_seed_fixes_the_weights() -> None:
    torch.manual_seed(1)
    first = learner(seed=5)
    torch.manual_seed(2)
    assert digest(learner(seed=5).state()) == digest(first.state())
    assert digest(learner(seed=6).state()) != digest(first.state())


def test_preview_shows_originals_then_reconstructions() -> None:
    student, batch = learner(), pictures(3)
    sheet = student.preview(batch, RNG)
    assert sheet.shape == (6, 3, 16, 16)
    torch.testing.assert_close(sheet[:3], from_uint8(batch["images"]))
    assert sheet.abs().max() <= 1


def test_export_rebuilds_the_average() -> None:
    student = learner()
    network, values = student.export()
    rebuilt = VQGAN(VQGANConfig.from_dict(values))
    rebuilt.load_state_dict(network.state_dict())
    assert digest(rebuilt.state_dict()) == digest(student.average.state_dict())


def test_a_gumbel_codebook_is_not_trained_wrongly() -> None:
    with pytest.raises(Unsupported, match="gumbel"):
        learner(config=VQGANConfig.from_dict({**TINY.to_dict(), "codebook": "gumbel"}))


def test_balanced_sets_the_ratio_of_norms() -> None:
    a, b = torch.randn(3, 4), torch.randn(3, 4)
    scaled = balanced(a, b, 0.3)
    torch.testing.assert_close(scaled.norm(), 0.3 * b.norm())
    torch.testing.assert_close(
        F.cosine_similarity(scaled.flatten(), a.flatten(), dim=0).item(), 1.0
    )
    assert torch.equal(balanced(torch.zeros(3), b, 1.0), torch.zeros(3))


def test_codes_move_to_the_mean_of_what_they_stand_for() -> None:
    student = learner(config=VQGANConfig.from_dict({**TINY.to_dict(), "codebook": "euclidean"}))
    table = student.model.quantize.embedding.weight
    centres = torch.eye(4)
    with torch.no_grad():
        table.copy_(torch.full_like(table, 50.0))
        table[:4] = centres + 0.2
        student.usage.fill_(1.0)
        for i in range(200):
            noise = RNG.fork(i).normal(64, 4)[0] * 0.05
            codes = centres.repeat(16, 1) + noise
            grid = codes.T.reshape(1, 4, 8, 8)
            tokens = student.model.quantize.nearest(grid)
            student._update_codebook(grid, tokens, RNG.fork(i))
    distance = torch.cdist(centres, table.detach()).min(dim=1).values
    assert distance.max() < 0.05
