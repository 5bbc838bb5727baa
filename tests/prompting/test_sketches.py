import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from phosphene.core.errors import CheckpointError
from phosphene.core.latent import Latent, LatentSpec, Space
from phosphene.core.rng import Rng
from phosphene.prompting.sketches import Sketchbook, SketchLearner, build, extend
from tests.shelf import NoShelf


class Painter:
    """An autoencoder of 4 px patches whose only code is the mean grey, in 8 shades."""

    spec = LatentSpec(Space.CODES, (1, None, None), 8)

    def encode(self, images: Tensor) -> Latent:
        return Latent(Space.CODES, F.avg_pool2d(images.mean(dim=1, keepdim=True), 4))

    def tokens(self, codes: Latent) -> Latent:
        shades = ((codes.data[:, 0] + 1) * 3.5).round().long()
        return Latent(Space.TOKENS, shades)

    def lookup(self, tokens: Latent) -> Latent:
        return Latent(Space.CODES, tokens.data[:, None] / 3.5 - 1)

    def snap(self, codes: Latent) -> Latent:
        return self.lookup(self.tokens(codes))

    def confine(self, codes: Latent) -> Latent:
        return codes

    def decode(self, latent: Latent, condition: object = None) -> Tensor:
        codes = latent if latent.space is Space.CODES else self.lookup(latent)
        return F.interpolate(codes.data, scale_factor=4.0).expand(-1, 3, -1, -1)


class Reader:
    """A text network that knows light from dark."""

    def encode(self, texts: list[str] | tuple[str, ...]) -> Tensor:
        wanted = [[1.0, 0.0] if "light" in text else [0.0, 1.0] for text in texts]
        return torch.tensor(wanted)


def filled() -> Sketchbook:
    learner = SketchLearner(Painter(), Reader())
    for index in range(2):
        images = torch.stack([torch.full((3, 8, 8), value) for value in (10, 240)])
        batch = {"images": images.to(torch.uint8), "captions": ("dark", "light")}
        log = learner.step(batch, index, 2, Rng((0,)))
        assert log["sketches"] == 2 * (index + 1)
    resumed = SketchLearner(Painter(), Reader())
    resumed.load_state(learner.state())
    book, config = resumed.export()
    assert isinstance(book, Sketchbook)
    assert config == {"count": 4, "height": 2, "width": 2, "embed_dim": 2}
    return book


def test_the_nearest_sketch_is_chosen_and_painted() -> None:
    book = filled()
    for wanted, sign in (("light", 1), ("dark", -1)):
        target = Reader().encode([wanted])[0]
        chosen = book.choose(target, Rng((3,)), temperature=0.0)
        picture = book.paint(chosen[0], Painter())
        assert picture.shape == (1, 3, 8, 8)
        assert picture.mean() * sign > 0.8


def test_the_seed_chooses_among_the_near_ones() -> None:
    book = filled()
    target = Reader().encode(["light"])[0]
    chosen = book.choose(target, Rng.from_seed(0, 200), temperature=0.02)
    assert chosen.shape == (200, 1)
    assert set(chosen.flatten().tolist()) == {1, 3}
    assert torch.equal(chosen[7:8], book.choose(target, Rng((7,)), temperature=0.02))


def test_several_are_different_and_the_near_ones_first() -> None:
    book = filled()
    target = Reader().encode(["light"])[0]
    chosen = book.choose(target, Rng.from_seed(0, 50), count=3, temperature=0.02)
    assert all(len(set(row)) == 3 and set(row[:2]) == {1, 3} for row in chosen.tolist())
    assert book.choose(target, Rng((0,)), count=99).shape == (1, 4)


def test_built_from_its_own_weights_it_is_the_same() -> None:
    book = filled()
    config = {"count": 4, "height": 2, "width": 2, "embed_dim": 2, "family": "sketches"}
    again = build(book.state_dict(), config, NoShelf())
    assert torch.equal(again.tokens, book.tokens)
    assert torch.equal(again.embeddings, book.embeddings)


@pytest.mark.parametrize("count", [0, -1, None, "many", 10**9])
def test_a_bad_config_is_refused(count: object) -> None:
    config = {"count": count, "height": 2, "width": 2, "embed_dim": 2}
    with pytest.raises(CheckpointError, match="not a sketchbook"):
        build({}, config, NoShelf())


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 8), (8, 24), (20, 12), (5, 9)])
def test_extending_keeps_the_middle_and_the_size(height: int, width: int) -> None:
    picture = torch.full((1, 3, 8, 8), -1.0)
    picture[:, :, 2:6, 2:6] = 1
    wider = extend(picture, height, width)
    assert wider.shape == (1, 3, height, width)
    assert wider[0, 0, height // 2, width // 2] == pytest.approx(1, abs=0.2)
    assert wider[0, 0, 0, 0] == pytest.approx(-1, abs=0.01)
