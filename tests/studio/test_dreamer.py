"""One meaning of seeds, classes and truncation for all that draws from a generator."""

import pytest
import torch

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.latent import Latent, Space
from phosphene.core.weights import save_weights
from phosphene.explore.geometry import truncate_psi
from phosphene.explore.walk import Atlas, Moment
from phosphene.families.gan.biggan import BigGAN
from phosphene.families.gan.biggan_config import BigGANConfig
from phosphene.families.gan.dcgan import DCGANConfig, Generator
from phosphene.studio.dreamer import set_up
from phosphene.studio.recipe import Sample
from tests.studio.gan_zoo import gan_zoo, save_styled

SMALL = {
    "z_dim": 20,
    "embed_dim": 4,
    "width": 4,
    "channel_mults": (4, 2, 2, 1),
    "attention_resolutions": (),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    home = tmp_path_factory.mktemp("gans")
    zoo, animals, clear = gan_zoo(home)
    return zoo, {
        "animals": animals,
        "clear": clear,
        "styled": str(save_styled(home / "styled.safetensors")),
        "both": str(save_styled(home / "both.safetensors", ("fox", "owl"))),
    }


def dreamer(models, name, **fields):
    zoo, paths = models
    return set_up(Sample(model=paths[name], **fields), zoo)


def test_it_is_an_atlas_of_itself(models):
    made = dreamer(models, "animals")
    assert isinstance(made, Atlas)
    assert made.z(7).shape == (1, 6)
    assert torch.equal(made.z(7), dreamer(models, "clear").z(7))  # a seed is the same z anywhere
    assert made.classes("owl").tolist() == [[0, 1, 0]]
    assert made.classes("fox:0.5+2:0.5").tolist() == [[0.5, 0, 0.5]]


@pytest.mark.parametrize("name", ["animals", "clear", "styled", "both"])
def test_a_moment_of_a_walk_is_the_sample_of_its_seed(models, name):
    made = dreamer(models, name)
    condition = made.condition(7)
    assert (condition is None) == (name in ("clear", "styled"))
    noise = made.layer_noise(7) if made.styled else None
    moment = Moment(Latent(Space.Z, made.z(7)), condition, noise)
    assert torch.equal(made.paint(moment), made.image(7))
    if noise is not None:
        still = Moment(moment.latent, condition, None)
        assert not torch.equal(made.paint(still), made.image(7))


def test_a_threshold_keeps_what_is_inside(models):
    free, bound = dreamer(models, "animals").z(7), dreamer(models, "animals")
    bound = dreamer(models, "animals", truncation_threshold=0.7).z(7)
    inside = free.abs() <= 0.7
    assert inside.any()
    assert not inside.all()
    assert torch.equal(bound[inside], free[inside])
    assert bound.abs().max() <= 0.7


def test_psi_pulls_towards_the_mean_style(models):
    free, made = dreamer(models, "styled"), dreamer(models, "styled", truncation_psi=0.5)
    z = Latent(Space.Z, free.z(7))
    expected = truncate_psi(free.styles(z, None).data, free.generator.w_avg, 0.5)
    assert torch.equal(made.styles(z, None).data, expected)
    assert not torch.equal(made.image(7), free.image(7))
    assert torch.equal(dreamer(models, "styled", truncation_psi=1).image(7), free.image(7))
    # at 0 only the class is left of the seed, and the noise
    means = [dreamer(models, "styled", truncation_psi=0) for _ in range(2)]
    ws = [mean.styles(Latent(Space.Z, mean.z(seed)), None).data for seed, mean in enumerate(means)]
    assert torch.equal(*ws)


def test_published_bigGANs_scale_a_normal_cut_at_2_and_have_norms_for_it(tmp_path, models):  # noqa: N802
    config = BigGANConfig(resolution=32, num_classes=2, norm_rows=3, **SMALL)
    torch.manual_seed(1)
    network = BigGAN(config)
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if name.endswith("var"):
                buffer.copy_(torch.rand_like(buffer) + 0.5)
    whole = {"family": "gan", "arch": "biggan", "size": 32}
    save_weights(tmp_path / "b.safetensors", network.state_dict(), {**whole, **config.to_dict()})
    recipe = Sample(model=str(tmp_path / "b.safetensors"), truncation_scale=0.5)
    made = set_up(recipe, models[0])
    assert made.z(7).abs().max() <= 1
    full = set_up(recipe.model_copy(update={"truncation_scale": 1.0}), models[0])
    torch.testing.assert_close(2 * made.z(7), full.z(7))
    assert made.generator.network.config.norm_rows == 1
    moment = Moment(Latent(Space.Z, made.z(7)), made.wanted("1"), None)
    assert not torch.equal(made.paint(moment), full.paint(moment))


def test_a_clear_ground(models):
    clear = dreamer(models, "clear").image(7)
    assert clear.shape[1] == 4
    assert torch.equal(dreamer(models, "clear", transparent=True).image(7), clear)
    white = dreamer(models, "clear", transparent=False).image(7)
    share = (clear[:, 3:] + 1) / 2
    torch.testing.assert_close(white, clear[:, :3] * share + 1 - share)


@pytest.mark.parametrize(
    ("name", "fields", "error", "said"),
    [
        ("animals", {"truncation_psi": 0.5}, Unsupported, "has no styles; use truncation_thr"),
        ("animals", {"transparent": True}, Unsupported, "paints no transparency"),
        (
            "animals",
            {"truncation_threshold": 1, "truncation_scale": 1},
            RecipeError,
            "leave one out",
        ),
    ],
)
def test_what_a_model_cannot_do(models, name, fields, error, said):
    with pytest.raises(error, match=said):
        dreamer(models, name, **fields)


def test_a_uniform_prior_has_no_tails(tmp_path, models):
    config = DCGANConfig(resolution=16, z_dim=6, width=4)
    whole = {"family": "gan", "arch": "dcgan", "size": 16, "prior": "uniform"}
    path = tmp_path / "even.safetensors"
    save_weights(path, Generator(config).state_dict(), {**whole, **config.to_dict()})
    with pytest.raises(Unsupported, match="evenly from -1 to 1"):
        set_up(Sample(model=str(path), truncation_threshold=1), models[0])


def test_styles_and_classes_that_are_not_there(models):
    made = dreamer(models, "clear")
    with pytest.raises(Unsupported, match="has no styles"):
        made.styles(Latent(Space.Z, made.z(7)), None)
    with pytest.raises(Unsupported, match="knows no classes"):
        made.wanted("fox")
