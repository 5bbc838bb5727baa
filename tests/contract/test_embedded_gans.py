"""The embedded GANs: what their cards say, classes that can be named and mixed, seeds, batches."""

import pytest
import torch

from phosphene.core.latent import Space
from phosphene.core.protocols import Decoder, Generator
from phosphene.core.rng import Rng
from phosphene.zoo import Zoo
from phosphene.zoo.registry import shipped_cards

EMBEDDED = [card for card in shipped_cards() if card.family == "gan" and card.file]
RNG = Rng((3, 4, 5), "/sample")


@pytest.fixture(params=EMBEDDED, ids=lambda card: card.name)
def card(request: pytest.FixtureRequest):
    return request.param


def test_pictures_by_seed(card, tmp_path) -> None:
    made = Zoo(tmp_path).load(card.name)
    assert isinstance(made, Generator)
    assert isinstance(made, Decoder)
    counted = sum(t.numel() for t in made.network.state_dict().values())
    assert counted == card.parameters
    assert made.resolution == (card.size, card.size)
    condition = made.condition_of([0, 1, 0]) if made.num_classes else None
    z = made.draw(RNG)
    assert z.space is Space.Z
    *_, last = made.render(z, RNG.fork("render"), condition)
    images = last.images
    assert images.shape == (3, made.channels, card.size, card.size)
    assert 0.2 < float(images.std()) < 1.2  # pictures: neither blank nor loud
    assert float((images[0] - images[2]).abs().mean()) > 0.01  # another seed, another picture
    alone = Rng((4,), "/sample")
    condition = made.condition_of([1]) if made.num_classes else None
    *_, single = made.render(made.draw(alone), alone.fork("render"), condition)
    torch.testing.assert_close(single.images, images[1:2], atol=1e-4, rtol=1e-4)


def test_classes_have_names_and_mix(card, tmp_path) -> None:
    made = Zoo(tmp_path).load(card.name)
    if not made.num_classes:
        assert made.class_names == ()
        return
    assert len(set(made.class_names)) == made.num_classes
    first, second, *_ = made.class_names
    wanted = [first, second, {first: 0.5, second: 0.5}]
    images = made.decode(made.draw(Rng((7, 7, 7))), made.condition_of(wanted))
    mixed = float((images[2] - (images[0] + images[1]) / 2).abs().mean())
    assert float((images[0] - images[1]).abs().mean()) > 0.02
    assert mixed > 0.001  # no cross-fade: classes mix before the picture is painted


def test_styled_ones_know_their_mean_style(card, tmp_path) -> None:
    made = Zoo(tmp_path).load(card.name)
    if not hasattr(made.network, "synthesis"):
        return
    assert float(made.w_avg.abs().max()) > 0
    rng = Rng.from_seed(0, 64)
    w = made.map(made.draw(rng), made.any_condition(rng)).data[:, 0]
    spread = (w - w.mean(0)).square().mean().sqrt()
    assert (made.w_avg - w.mean(0)).square().mean().sqrt() < spread  # tracked, not left at zero
