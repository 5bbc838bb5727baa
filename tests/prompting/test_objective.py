"""Objectives: closed forms at and away from their minima, and what they ask of a picture."""

import math
from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from phosphene.core.errors import LatentMismatch, RecipeError
from phosphene.core.rng import Rng
from phosphene.prompting.cut_schedule import CutSchedule, NoiseFall
from phosphene.prompting.cutouts import Cutouts
from phosphene.prompting.objective import (
    Gaze,
    InitPull,
    LatentPull,
    PromptObjective,
    RangePenalty,
    Saturation,
    Steady,
    TotalVariation,
    embed_picture,
    spherical_distance,
    weighted_sum,
)
from phosphene.prompting.prompt import parse

COLOURS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}
STEADY = Cutouts(policy="whole", count=2, size=8, noise=0.0)


class ColourPerceptor:
    """Sees the mean colour, and knows three words."""

    def __init__(self, input_size: int = 8) -> None:
        self.input_size = input_size
        self.views: list[Tensor] = []

    def encode_image(self, images: Tensor) -> Tensor:
        self.views.append(images.detach())
        return F.normalize(images.mean(dim=(2, 3)) + 1, dim=1)

    def encode_text(self, texts: Sequence[str]) -> Tensor:
        return torch.tensor([COLOURS[text] for text in texts])


def painted(*colours: str, size: int = 16) -> Tensor:
    rows = torch.tensor([COLOURS[colour] for colour in colours]) * 2 - 1
    return rows[:, :, None, None].expand(-1, -1, size, size).clone()


def prompt(text: str, *gazes: Gaze, seeds: int = 1, **pictures: Tensor) -> PromptObjective:
    named = {f"{name}.png": picture for name, picture in pictures.items()}
    gazes = gazes or (Gaze(ColourPerceptor(), STEADY),)
    return PromptObjective.of_scene(parse(text).scenes[0], gazes, Rng.from_seed(0, seeds), named)


def unit(*shape: int) -> Tensor:
    return F.normalize(torch.randn(*shape, dtype=torch.float64), dim=-1)


@given(st.floats(0, math.pi), st.integers(2, 8))
def test_distance_is_half_the_squared_angle(angle: float, dims: int) -> None:
    x, y = torch.zeros(dims), torch.zeros(dims)
    x[0], y[0], y[1] = 1, math.cos(angle), math.sin(angle)
    assert abs(float(spherical_distance(x, y)) - angle**2 / 2) < 1e-4


def test_distance_is_the_classic_formula() -> None:
    x, y = unit(5, 16), unit(5, 16)
    classic = (x - y).norm(dim=-1).div(2).arcsin().pow(2).mul(2)
    torch.testing.assert_close(spherical_distance(x, y), classic.float())
    torch.testing.assert_close(spherical_distance(x, y), spherical_distance(y, x))


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("nudge", [0.0, 1e-20, 1e-9, 1e-6, 1e-3])
def test_gradient_is_finite_at_both_poles(sign: int, nudge: float) -> None:
    y = F.normalize(torch.randn(4, 16), dim=1)
    x = (sign * y + nudge).requires_grad_()
    spherical_distance(x, y).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert x.grad.norm(dim=1).max() <= math.pi + 1e-2


def test_the_asked_colour_is_the_minimum() -> None:
    losses = prompt("red", seeds=3).at(0)(painted("red", "green", "blue"))
    quarter = (math.pi / 2) ** 2 / 2
    torch.testing.assert_close(losses, torch.tensor([0, quarter, quarter]), atol=1e-5, rtol=1e-4)


def test_weights_add_and_negative_ones_push() -> None:
    quarter = (math.pi / 2) ** 2 / 2
    losses = prompt("red:2 | green:-0.5", seeds=3).at(0)(painted("red", "green", "blue"))
    wanted = torch.tensor([-0.5 * quarter, 2 * quarter, 1.5 * quarter])
    torch.testing.assert_close(losses, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("text", "pulls"),
    [
        ("red", True),
        ("red:1:0.1", True),
        ("red:1:1.2", False),
        ("red:-1", True),
        ("red:-1:-1.2", True),
        ("red:-1:-0.1", False),
    ],
)
def test_stop_ends_the_pull(text: str, pulls: bool) -> None:
    """A picture between red and green is pi/4 from red: a distance of 0.308."""
    x = painted("red")
    x[:, 1] = 1
    x.requires_grad_()
    prompt(text).at(0)(x).sum().backward()
    assert x.grad is not None
    assert (x.grad.abs().sum() > 0) == pulls


def test_descent_finds_the_colour() -> None:
    x = torch.zeros(2, 3, 16, 16, requires_grad=True)
    look = Cutouts(policy="overview+inner", count=4, size=8)
    objective = prompt("blue | red:-0.3", Gaze(ColourPerceptor(), look), seeds=2)
    optimizer = torch.optim.Adam([x], lr=0.1)
    for step in range(60):
        optimizer.zero_grad()
        objective.at(step)(x).sum().backward()
        optimizer.step()
    red, green, blue = x.detach().mean(dim=(0, 2, 3))
    assert blue > green + 0.5 > red + 0.5


def test_a_step_is_pure_and_steps_differ() -> None:
    look = Cutouts(policy="random", count=2, size=8)
    objective = prompt("red", Gaze(ColourPerceptor(), look), seeds=2)
    x = torch.rand(2, 3, 16, 16) * 2 - 1
    assert torch.equal(objective.at(5)(x), objective.at(5)(x))
    assert not torch.equal(objective.at(5)(x), objective.at(6)(x))
    first = prompt("red", Gaze(ColourPerceptor(), look)).at(5)(x[:1])
    torch.testing.assert_close(objective.at(5)(x)[:1], first)


@pytest.mark.usefixtures("one_thread")
def test_equal_cutouts_are_cut_once_and_perceptors_weigh() -> None:
    a, b, c = ColourPerceptor(), ColourPerceptor(), ColourPerceptor(12)
    noisy = Cutouts(policy="random", count=3, size=8)
    gazes = (Gaze(a, noisy), Gaze(b, noisy, 0.5), Gaze(c, Cutouts(count=2, size=12), 2.0))
    x = painted("green")
    losses = prompt("red", *gazes).at(1)(x)
    assert a.views[0].data_ptr() == b.views[0].data_ptr()
    assert c.views[0].shape == (2, 3, 12, 12)
    alone = [prompt("red", gaze).at(1)(x) for gaze in gazes]
    torch.testing.assert_close(losses, torch.stack(alone).sum(dim=0))


def test_an_image_prompt_asks_for_its_picture() -> None:
    (picture,) = painted("green")
    losses = prompt("it.png | red:0", seeds=2, it=picture).at(0)(painted("green", "red"))
    assert losses[0] < 1e-5
    assert losses[1] > 1
    with pytest.raises(RecipeError, match=r"'lost\.png'"):
        prompt("lost.png")


def test_an_image_prompt_is_the_same_in_any_batch() -> None:
    gaze = Gaze(ColourPerceptor(), Cutouts(policy="random", count=3, size=8))
    picture = torch.rand(3, 20, 30) * 2 - 1
    one, two = (embed_picture(picture, gaze, Rng.from_seed(7, count)) for count in (1, 2))
    assert torch.equal(one, two)
    torch.testing.assert_close(one.norm(), torch.tensor(1.0))


def test_total_variation_in_closed_form() -> None:
    assert TotalVariation()(torch.full((2, 3, 5, 7), 0.3)).tolist() == [0, 0]
    ramp = torch.arange(8.0).mul(0.1).expand(1, 3, 4, 8)
    torch.testing.assert_close(TotalVariation()(ramp), torch.tensor([0.01 * 7 / 8]))
    torch.testing.assert_close(TotalVariation()(ramp.transpose(2, 3)), torch.tensor([0.01 * 7 / 8]))
    assert TotalVariation()(torch.zeros(1, 3, 1, 1)).tolist() == [0]


def test_init_pull_leads_to_the_init_picture() -> None:
    """The classic script pulled the latent to zero instead."""
    target = torch.rand(1, 3, 6, 6) * 2 - 1
    assert InitPull(target)(target.expand(2, -1, -1, -1)).tolist() == [0, 0]
    torch.testing.assert_close(InitPull(target)(target + 0.5), torch.tensor([0.25]))
    x = torch.zeros(1, 3, 6, 6, requires_grad=True)
    optimizer = torch.optim.SGD([x], lr=20.0)
    for step in range(60):
        optimizer.zero_grad()
        InitPull(target).at(step)(x).sum().backward()
        optimizer.step()
    torch.testing.assert_close(x.detach(), target, atol=1e-3, rtol=0)


def test_init_pull_fits_the_picture_to_the_size() -> None:
    losses = InitPull(torch.full((1, 3, 4, 4), 0.25))(torch.zeros(2, 3, 9, 7))
    torch.testing.assert_close(losses, torch.full((2,), 0.0625))


def test_latent_pull() -> None:
    target = torch.randn(1, 4, 3, 3)
    assert LatentPull(target)(target.expand(2, -1, -1, -1)).tolist() == [0, 0]
    torch.testing.assert_close(LatentPull(target)(target - 2), torch.tensor([4.0]))
    with pytest.raises(LatentMismatch):
        LatentPull(target)(torch.zeros(1, 4, 2, 2))


def test_range_penalty_in_closed_form() -> None:
    inside = torch.rand(2, 3, 4, 4) * 2 - 1
    assert RangePenalty()(inside).tolist() == [0, 0]
    torch.testing.assert_close(RangePenalty()(torch.full((1, 3, 2, 2), -1.5)), torch.tensor([0.25]))


def test_saturation_in_closed_form() -> None:
    assert Saturation()(torch.rand(2, 1, 4, 4).expand(-1, 3, -1, -1)).abs().max() < 1e-12
    torch.testing.assert_close(Saturation()(painted("red")), torch.tensor([8 / 9]))


def test_weighted_sum() -> None:
    x = torch.randn(2, 3, 8, 8)
    objective = weighted_sum(
        [
            (TotalVariation(), 0.5),
            (RangePenalty(), 2.0),
            (Saturation(), 0.0),
            (prompt("red", seeds=2), 3.0),
        ]
    )
    assert len(objective.terms) == 3
    wanted = 0.5 * TotalVariation()(x) + 2 * RangePenalty()(x) + 3 * prompt("red", seeds=2).at(4)(x)
    torch.testing.assert_close(objective.at(4)(x), wanted)


def test_a_steady_objective_says_what_it_measures() -> None:
    class Mute(Steady):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Mute()  # type: ignore[abstract]
    assert Saturation().at(0) == Saturation().at(99) == Saturation()


def test_bad_settings() -> None:
    with pytest.raises(RecipeError, match="every objective has weight 0"):
        weighted_sum([(TotalVariation(), 0.0)])
    with pytest.raises(RecipeError, match="TotalVariation has weight nan"):
        weighted_sum([(TotalVariation(), math.nan)])
    with pytest.raises(RecipeError, match="8 px do not fit"):
        Gaze(ColourPerceptor(12), STEADY)
    with pytest.raises(RecipeError, match="at least one perceptor"):
        PromptObjective.of_scene(parse("red").scenes[0], (), Rng((0,)))


def test_views_are_shared_among_threads() -> None:
    perceptor = ColourPerceptor(8)
    objective = PromptObjective.of_scene(
        parse("red").scenes[0], (Gaze(perceptor, STEADY),), Rng((0,))
    ).at(0)
    before, losses = torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        try:
            losses.append(objective(painted("red", size=16)))
        finally:
            torch.set_num_threads(before)
    assert [len(views) for views in perceptor.views] == [2, 1, 1]
    torch.testing.assert_close(losses[0], losses[1])


@pytest.mark.usefixtures("one_thread")
def test_views_are_as_noisy_as_the_step_asks() -> None:
    perceptor = ColourPerceptor(64)
    gaze = Gaze(perceptor, Cutouts(policy="whole", count=8, size=64, noise=0.0))
    scene = parse("red").scenes[0]
    schedule = CutSchedule(noise=NoiseFall(start=1.0, end=0.0, iterations=5))
    objective = PromptObjective.of_scene(scene, (gaze,), Rng((0,)), schedule=schedule)
    for index in (0, 2, 4):
        objective.at(index)(painted("red", size=64))
    deviations = [views.std(dim=(1, 2, 3), correction=0) for views in perceptor.views]
    still = painted("red").std(correction=0)
    extra = [(d.square() - still.square()).clamp_min(0).sqrt() for d in deviations]
    assert 0.5 < float(extra[0].max()) <= 1.05
    assert float(extra[1].max()) <= 0.27
    assert float(extra[2].max()) < 1e-3
