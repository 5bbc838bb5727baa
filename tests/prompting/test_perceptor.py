"""The embedded perceptor with random weights and a reader that knows no language."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.errors import CheckpointError
from phosphene.core.protocols import Perceptor
from phosphene.core.rng import Rng
from phosphene.prompting.perceptor import EmojiPerceptor, PerceptorConfig, build

CONFIG = PerceptorConfig(input_size=32, embed_dim=16)


class FakeReader:
    """A fixed random state for each letter; texts are as long as they are."""

    def tokens(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        longest = max(map(len, texts))
        states = torch.zeros(len(texts), longest, 384)
        mask = torch.zeros(len(texts), longest, dtype=torch.bool)
        for i, text in enumerate(texts):
            for j, letter in enumerate(text):
                states[i, j] = Rng((ord(letter),), "/reader").normal(384)[0]
                mask[i, j] = True
        return states, mask


class FakeShelf:
    """Holds one text network."""

    device = torch.device("cpu")
    dtype = None

    def model(self, name: str) -> Any:
        return {"fake": FakeReader()}[name]

    def read(self, file_name: str) -> bytes:
        raise FileNotFoundError(file_name)

    def folder(self) -> Path:
        raise FileNotFoundError


def lively(network: nn.Module) -> None:
    """Weights that carry a signal through all layers, where PyTorch's defaults let it die out."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


@pytest.fixture(scope="module")
def perceptor() -> EmojiPerceptor:
    torch.manual_seed(0)
    network = EmojiPerceptor(CONFIG, FakeReader())
    lively(network.image.features)
    return network.requires_grad_(False)


def pictures(count: int, size: int = 32) -> Tensor:
    return torch.rand(count, 3, size, size) * 2 - 1


def test_is_a_perceptor_of_unit_vectors(perceptor: EmojiPerceptor) -> None:
    assert isinstance(perceptor, Perceptor)
    for embedded in (
        perceptor.encode_image(pictures(3)),
        perceptor.encode_text(["a", "bcd", "e f"]),
    ):
        assert embedded.shape == (3, 16)
        torch.testing.assert_close(embedded.norm(dim=1), torch.ones(3))


def test_a_picture_is_judged_alone(perceptor: EmojiPerceptor) -> None:
    x = pictures(4)
    together, alone = perceptor.encode_image(x), perceptor.encode_image(x[2:3])
    torch.testing.assert_close(together[2:3], alone, rtol=1e-4, atol=1e-5)
    assert (together[0] - together[1]).norm() > 1e-3


def test_a_text_is_read_alone(perceptor: EmojiPerceptor) -> None:
    """Also beside a longer one, which pads it."""
    together, alone = perceptor.encode_text(["ab", "abcdefgh"]), perceptor.encode_text(["ab"])
    torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-5)
    assert (together[0] - together[1]).norm() > 1e-3


def test_gradients_reach_the_pixels(perceptor: EmojiPerceptor) -> None:
    x = pictures(2).requires_grad_()
    perceptor.encode_image(x)[:, 0].sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert (x.grad.abs().sum(dim=1) > 0).all()
    assert not any(p.grad is not None for p in perceptor.parameters())


def test_other_sizes_are_resampled(perceptor: EmojiPerceptor) -> None:
    x = pictures(2, 32)
    large = nn.functional.interpolate(x, scale_factor=4.0, mode="nearest")
    seen, wanted = perceptor.encode_image(large), perceptor.encode_image(x)
    assert (nn.functional.cosine_similarity(seen, wanted) > 0.9).all()
    assert perceptor.encode_image(pictures(1, 50)[..., :40]).shape == (1, 16)


def test_weights_do_not_hold_the_text_network(perceptor: EmojiPerceptor) -> None:
    again = EmojiPerceptor(PerceptorConfig.from_dict(CONFIG.to_dict()), FakeReader())
    again.load_state_dict(perceptor.state_dict())
    x = pictures(1)
    assert torch.equal(again.encode_image(x), perceptor.encode_image(x))
    assert not any("text" in name for name in perceptor.state_dict())


def test_foreign_configs_are_refused() -> None:
    with pytest.raises(CheckpointError, match="not a perceptor config"):
        PerceptorConfig.from_dict({"resolution": 256})


def test_the_zoo_builds_it_frozen(perceptor: EmojiPerceptor) -> None:
    config = {"family": "perceptor", "size": 32, "text": "fake", **CONFIG.to_dict()}
    tensors = {name: tensor.half() for name, tensor in perceptor.state_dict().items()}
    built = build(tensors, config, FakeShelf())
    assert not any(p.requires_grad for p in built.parameters())
    x, texts = pictures(2), ["frog", "a green heart"]
    for got, wanted in (
        (built.encode_image(x), perceptor.encode_image(x)),
        (built.encode_text(texts), perceptor.encode_text(texts)),
    ):
        assert (nn.functional.cosine_similarity(got, wanted) > 0.99).all()
    with pytest.raises(CheckpointError):
        build({}, config, FakeShelf())
