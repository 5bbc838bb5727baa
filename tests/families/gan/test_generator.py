"""The shape all GANs share: priors, classes by name, spaces, fresh noise, clear errors."""

import pytest
import torch

from phosphene.core.errors import CheckpointError, LatentMismatch, RecipeError, Unsupported
from phosphene.core.latent import Condition, Latent, Space
from phosphene.core.protocols import Autoencoder, Decoder, Generator, Styled
from phosphene.core.rng import Rng
from phosphene.families.gan.generator import GANGenerator, StyledGenerator, generator_of
from tests.families.gan.toy_networks import ToyNetwork, ToyStyled

RNG = Rng((3, 4, 5))
ANIMALS = ("fox", "owl", "cat")


def animals() -> GANGenerator:
    return GANGenerator(ToyNetwork(3), ANIMALS)


def test_what_it_offers() -> None:
    plain, styled = GANGenerator(ToyNetwork()), StyledGenerator(ToyStyled())
    for made in (plain, styled):
        assert isinstance(made, Generator)
        assert isinstance(made, Decoder)
        assert not isinstance(made, Autoencoder)
    assert isinstance(styled, Styled)
    assert not isinstance(plain, Styled)
    assert type(generator_of(ToyNetwork(), {})) is GANGenerator
    assert type(generator_of(ToyStyled(), {})) is StyledGenerator
    assert not generator_of(ToyNetwork(), {}).training


def test_draws_by_seed_and_prior() -> None:
    plain = GANGenerator(ToyNetwork())
    z = plain.draw(RNG)
    assert z.space is Space.Z
    assert z.data.shape == (3, 4)
    torch.testing.assert_close(z.data[1:2], plain.draw(Rng((4,))).data)
    even = GANGenerator(ToyNetwork(z_dim=5000), prior="uniform").draw(Rng((0,))).data
    assert even.abs().max() <= 1
    assert abs(float(even.var()) - 1 / 3) < 0.02
    assert abs(float(even.mean())) < 0.02


def test_renders_one_step_and_each_sample_alone() -> None:
    plain = GANGenerator(ToyNetwork())
    z = plain.draw(RNG)
    (step,) = plain.render(z, RNG)
    assert (step.index, step.total) == (0, 1)
    assert step.images is not None
    assert step.images.shape == (3, 3, 4, 6)
    assert not step.images.requires_grad
    alone = plain.decode(Latent(Space.Z, z.data[2:]))
    torch.testing.assert_close(step.images[2:], alone.detach())


def test_decoding_is_differentiable() -> None:
    plain = GANGenerator(ToyNetwork())
    z = torch.zeros(1, 4, requires_grad=True)
    torch.autograd.backward(plain.decode(Latent(Space.Z, z)).sum())
    expected = plain.network.project.weight.sum(0) * 24
    torch.testing.assert_close(z.grad, expected[None])


def test_classes_by_name_number_and_mixture() -> None:
    made = animals()
    one = made.condition_of(["owl", 2, "0", {"fox": 0.25, "cat": 0.75}]).classes
    assert one is not None
    expected = torch.tensor([[0, 1, 0], [0, 0, 1], [1, 0, 0], [0.25, 0, 0.75]])
    torch.testing.assert_close(one, expected)
    # a mixture of classes is the mixture of their embeddings, by linearity here of the pictures
    z = Latent(Space.Z, torch.zeros(4, 4))
    painted = made.decode(z, Condition(classes=one))
    torch.testing.assert_close(painted[3], 0.25 * painted[2] + 0.75 * painted[1])
    numbered = GANGenerator(ToyNetwork(3))
    assert numbered.class_names == ("0", "1", "2")
    shuffled = GANGenerator(ToyNetwork(3), ("2", "0", "1"))
    assert [shuffled.class_index(n) for n in ("2", "0", "1", 2)] == [0, 1, 2, 2]


def test_a_class_is_drawn_where_none_is_named() -> None:
    made, many = animals(), Rng.from_seed(0, 64)
    drawn = made.any_condition(many).classes
    assert drawn is not None
    assert drawn.sum(1).eq(1).all()
    assert drawn.sum(0).min() > 10
    alone = made.any_condition(Rng((7,))).classes
    torch.testing.assert_close(drawn[7:8], alone)
    asked = made.condition_of(["owl"])
    assert made.any_condition(Rng((7,)), asked) is asked
    z = made.draw(many)
    (step,) = made.render(z, many)
    assert step.images is not None
    torch.testing.assert_close(step.images, made.decode(z, Condition(classes=drawn)).detach())
    assert GANGenerator(ToyNetwork()).any_condition(many).classes is None


def test_classes_that_cannot_be() -> None:
    made = animals()
    with pytest.raises(RecipeError, match=r"no class 'owll'; did you mean 'owl'.*fox, owl, cat"):
        made.condition_of(["owll"])
    with pytest.raises(RecipeError, match="no class '3'"):
        made.condition_of([3])
    with pytest.raises(RecipeError, match="no class '-1'"):
        made.condition_of([-1])
    with pytest.raises(RecipeError, match=r"\[2, 3\]"):
        made.decode(Latent(Space.Z, torch.zeros(2, 4)), Condition(classes=torch.ones(1, 3)))
    with pytest.raises(RecipeError, match="name one, namely fox, owl, cat"):
        made.decode(Latent(Space.Z, torch.zeros(1, 4)))
    plain = GANGenerator(ToyNetwork())
    with pytest.raises(Unsupported, match="knows no classes"):
        plain.condition_of(["fox"])
    with pytest.raises(Unsupported, match="knows no classes"):
        plain.decode(Latent(Space.Z, torch.zeros(1, 4)), Condition(classes=torch.ones(1, 3)))


def test_latents_of_other_models() -> None:
    plain = GANGenerator(ToyNetwork())
    with pytest.raises(LatentMismatch, match="space z, not in w"):
        plain.decode(Latent(Space.W, torch.zeros(1, 4)))
    with pytest.raises(LatentMismatch, match=r"\[1, 5\].*\[b, 4\] in space z"):
        plain.decode(Latent(Space.Z, torch.zeros(1, 5)))
    with pytest.raises(LatentMismatch, match=r"\[b, 2, 3\] in space w_plus"):
        StyledGenerator(ToyStyled()).decode(Latent(Space.W_PLUS, torch.zeros(1, 3, 3)))


def test_configs_that_cannot_be() -> None:
    for config, word in (
        ({"class_names": ["a", "b"]}, "2 class names for a network of 3"),
        ({"class_names": ["a", "b", "a"]}, "occurs twice"),
        ({"class_names": "abc"}, "not a list of names"),
        ({"prior": "cauchy"}, "normal, uniform"),
    ):
        with pytest.raises(CheckpointError, match=word):
            generator_of(ToyNetwork(3), config)


def test_styles() -> None:
    styled = StyledGenerator(ToyStyled())
    z = styled.draw(RNG)
    ws = styled.map(z)
    assert ws.space is Space.W_PLUS
    torch.testing.assert_close(ws.data, (2 * z.data)[:, None].expand(3, 2, 3))
    from_z = styled.decode(z)
    torch.testing.assert_close(from_z, styled.decode(ws))
    torch.testing.assert_close(from_z, styled.decode(Latent(Space.W, 2 * z.data)))
    assert styled.w_avg.shape == (3,)


def test_fresh_noise_is_the_samples_own() -> None:
    styled = StyledGenerator(ToyStyled())
    z = styled.draw(RNG)
    (step,) = styled.render(z, RNG)
    assert step.images is not None
    noise = styled.layer_noise(RNG)
    assert [tuple(n.shape) for n in noise] == [(3, 1, 2, 2), (3, 1, 4, 4)]
    torch.testing.assert_close(step.images, styled.decode(z).detach() + noise[1])
    torch.testing.assert_close(step.images, styled.decode(z, layer_noise=noise).detach())
    alone = styled.layer_noise(Rng((4,)))
    torch.testing.assert_close(noise[1][1:2], alone[1])
