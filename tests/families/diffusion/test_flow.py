"""The network of latent diffusion: what it is told, its scale, its config."""

import pytest
import torch
from diffusers import SD3Transformer2DModel

from phosphene.core.errors import CheckpointError, RecipeError
from phosphene.core.latent import Space
from phosphene.core.rng import Rng
from phosphene.families.diffusion.flow import LatentDiffusionConfig, read, stacked
from tests.families.diffusion.toys import TINY, flow, say
from tests.reader import Reader
from tests.sketchbook import SHOWN


def test_diffusers_opens_its_network(tmp_path) -> None:
    """As a folder of its own, with the same velocities."""
    ours = flow()
    ours.transformer.save_pretrained(tmp_path)
    theirs = SD3Transformer2DModel.from_pretrained(tmp_path)
    x, words = Rng((0, 1)).normal(4, 4, 4), read(Reader(), ["red fox", "owl"], 4)
    sigma = torch.tensor([0.25, 0.5])
    alike = theirs(
        x,
        encoder_hidden_states=words.states,
        pooled_projections=words.sentence,
        timestep=sigma * 1000,
    ).sample
    torch.testing.assert_close(ours(x, sigma, words), alike)


def test_everything_it_is_given_matters() -> None:
    network, x, sigma = flow(), Rng((0,)).normal(4, 4, 4), torch.tensor([0.5])
    words = read(Reader(), ["red fox"], 4)
    velocity = network(x, sigma, words)
    assert velocity.shape == x.shape
    others = [
        (x + 0.1, sigma, words),
        (x, sigma / 2, words),
        (x, sigma, words._replace(states=words.states * 2)),
        (x, sigma, words._replace(sentence=words.sentence * 2)),
    ]
    for other in others:
        assert not torch.allclose(network(*other), velocity, atol=1e-4)


def test_one_that_is_shown_a_sketch_sees_it() -> None:
    network, x, sigma = flow(**SHOWN), Rng((0,)).normal(4, 4, 4), torch.tensor([0.5])
    words, shown = read(Reader(), ["red fox"], 4), Rng((1,)).normal(4, 4, 4)
    velocity = network(x, sigma, words._replace(sketch=shown))
    assert velocity.shape == x.shape
    unlike = network(x, sigma, words._replace(sketch=shown.flip(3)))
    assert not torch.allclose(unlike, velocity, atol=1e-4)
    blank = network(x, sigma, words._replace(sketch=torch.zeros_like(shown)))
    assert torch.equal(network(x, sigma, words), blank)


def test_sketches_are_stacked_with_their_words() -> None:
    shown = Rng((1, 2)).normal(4, 4, 4)
    both = [say(1.0)._replace(sketch=row[None]) for row in shown]
    assert torch.equal(stacked(both).sketch, shown)
    assert stacked([say(1.0), say(2.0)]).sketch is None


def test_words_do_not_depend_on_their_neighbours() -> None:
    alone = read(Reader(), ["owl"], 4)
    together = read(Reader(), ["red fox there", "owl"], 4)
    torch.testing.assert_close(together.states[1:], alone.states)
    torch.testing.assert_close(together.sentence[1:], alone.sentence)
    assert alone.states.shape == (1, 4, 8)
    assert (alone.states[:, 2:] == 0).all()


def test_long_sentences_keep_all_words() -> None:
    words = read(Reader(), ["one two three four five six"], 4)
    assert words.states.shape[1] == 7
    assert stacked([words, say(1.0)]).states.shape == (2, 7, 8)


def test_codes_are_normalised_and_back() -> None:
    network = flow()
    network.mean.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    network.std.copy_(torch.tensor([0.5, 1.0, 2.0, 4.0]))
    codes = Rng((0, 1)).normal(4, 4, 4)
    x = network.normalised(codes)
    torch.testing.assert_close(x[:, 3], (codes[:, 3] - 4) / 4)
    latent = network.codes(x)
    assert latent.space is Space.CODES
    torch.testing.assert_close(latent.data, codes)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("width", 0, "width is 0"),
        ("layers", 10_000, "layers is 10000"),
        ("heads", 3, "width 16 is no multiple of 3"),
        ("patch_size", 3, "latent_size 4 is no multiple of the patch size 3"),
        ("text", "", "text should be the name"),
    ],
)
def test_a_wrong_shape_is_named(field, value, said) -> None:
    with pytest.raises(RecipeError, match=said):
        LatentDiffusionConfig(**{**TINY.to_dict(), field: value})
    with pytest.raises(CheckpointError, match=said):
        LatentDiffusionConfig.from_dict({**TINY.to_dict(), field: value})


def test_an_unknown_field_is_no_config() -> None:
    with pytest.raises(CheckpointError, match="depth"):
        LatentDiffusionConfig.from_dict({"depth": 3})
