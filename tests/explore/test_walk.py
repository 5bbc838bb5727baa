"""Walks on a toy model with styles, against closed forms."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.latent import Condition, Space
from phosphene.core.protocols import Styled
from phosphene.explore import geometry
from phosphene.explore.path_text import parse_path
from phosphene.explore.paths import frame_times
from phosphene.explore.walk import Atlas, Guide, Walk
from tests.explore.toy_models import NUM_WS, ToyAtlas, ToyStyled

ATLAS, STYLED = ToyAtlas(), ToyStyled()
LOOPS = [
    "z = 7 ~ 8 ~ 9; loop",
    "z = 7@0.3 ~ 8 ~ 9 : smooth curve; loop",
    "class = fox ~ owl@0.3 : curve; psi = 1@0.1 ~ 0.2; noise = 1 ~ 2 : smooth; loop",
    "w = 1 ~ 2 ~ 3 : curve; w[coarse] = 4 ~ 5; loop",
    "z = 7 ~ 8 : hold; loop",
    "rotary(7, 8)",
]


def walk(text, **options):
    return Walk(parse_path(text), ATLAS, styled=STYLED, **options)


def everything(moment):
    parts = [moment.latent.data, *(moment.layer_noise or ())]
    return parts if moment.condition is None else [*parts, moment.condition.classes]


def test_the_toys_are_what_walks_ask_for():
    assert isinstance(ATLAS, Atlas)
    assert isinstance(STYLED, Styled)


@pytest.mark.parametrize("text", LOOPS)
@pytest.mark.parametrize("count", [1, 7, 30])
def test_loops_close_exactly(text, count):
    closed = walk(text)
    times = [*frame_times(count, True), 1.0]
    first, last = everything(closed.at(times[0])), everything(closed.at(times[-1]))
    assert all(torch.equal(a, b) for a, b in zip(first, last, strict=True))


@pytest.mark.parametrize("text", [line for line in LOOPS if "hold" not in line])
def test_loops_have_no_jump_at_their_seam(text):
    closed = walk(text)
    seam = zip(everything(closed.at(1 - 1e-6)), everything(closed.at(1e-6)), strict=True)
    assert all(float((a - b).abs().max()) < 1e-3 for a, b in seam)


@settings(max_examples=30)
@given(time=st.floats(0, 1), first=st.integers(0, 99), second=st.integers(0, 99))
def test_z_moves_on_the_arc_and_w_on_the_line(time, first, second):
    a, b = ATLAS.z(first), ATLAS.z(second)
    arc = walk(f"z = {first} ~ {second}").at(time).latent
    assert arc.space is Space.Z
    assert torch.equal(arc.data, geometry.slerp(a, b, time))
    line = walk(f"w = {first} ~ {second}").at(time).latent
    assert line.space is Space.W_PLUS
    wanted = (3 * ((1 - time) * a + time * b) + 1)[:, None].expand(-1, NUM_WS, -1)
    torch.testing.assert_close(line.data, wanted, atol=1e-5, rtol=1e-5)
    straight = walk(f"z = {first} ~ {second} : line").at(time).latent
    assert torch.equal(straight.data, geometry.lerp(a, b, time))


def test_easing_spends_the_time_within_each_span():
    eased, plain = walk("z = 1 ~ 2 ~ 3 : smooth"), walk("z = 1 ~ 2 ~ 3")
    # 3 t² - 2 t³ at half of the second span's half
    wanted = plain.at(0.5 + 0.15625 / 2).latent.data
    torch.testing.assert_close(eased.at(0.625).latent.data, wanted)
    assert torch.equal(eased.at(0.5).latent.data, ATLAS.z(2))


def test_before_the_first_stop_and_after_the_last_nothing_moves():
    late = walk("z = 1@0.4 ~ 2@0.6")
    assert torch.equal(late.at(0.1).latent.data, ATLAS.z(1))
    assert torch.equal(late.at(0.9).latent.data, ATLAS.z(2))


def test_curves_pass_their_stops_without_a_corner():
    curve = walk("z = 1 ~ 2 ~ 3 ~ 4 : curve")
    assert torch.allclose(curve.at(1 / 3).latent.data, ATLAS.z(2), atol=1e-5)
    h = 1e-3
    for time in (1 / 3, 2 / 3):
        before, here, after = (curve.at(time + d).latent.data for d in (-h, 0, h))
        corner = ((after - here) - (here - before)).norm() / (after - before).norm()
        assert float(corner) < 0.05
    straight = walk("z = 1 ~ 2 ~ 3 ~ 4")
    before, here, after = (straight.at(1 / 3 + d).latent.data for d in (-h, 0, h))
    assert float(((after - here) - (here - before)).norm() / (after - before).norm()) > 0.2


def test_psi_pulls_to_the_mean_style():
    moment = walk("z = 3; psi = 1 ~ 0").at(0.75)
    wanted = STYLED.w_avg + 0.25 * 3 * ATLAS.z(3)
    torch.testing.assert_close(moment.latent.data, wanted[:, None].expand(-1, NUM_WS, -1))


def test_a_curve_of_psi_never_falls_below_zero():
    swinging = walk("psi = 1 ~ 0 ~ 0 ~ 1 : curve; z = 3")
    for time in frame_times(31, False):
        along = (swinging.at(time).latent.data[0, 0] - 1) @ (3 * ATLAS.z(3)[0])
        assert float(along) >= -1e-4


def test_layers_walk_by_themselves():
    moment = walk("z = 3; w[coarse] = 4 ~ 5; w[8] = 6").at(0.5)
    ws = moment.latent.data
    coarse = 3 * (ATLAS.z(4) + ATLAS.z(5)) / 2 + 1
    torch.testing.assert_close(ws[:, 0:4], coarse[:, None].expand(-1, 4, -1))
    torch.testing.assert_close(ws[:, 4:8], (3 * ATLAS.z(3) + 1)[:, None].expand(-1, 4, -1))
    torch.testing.assert_close(ws[:, 8], 3 * ATLAS.z(6) + 1)


def test_styles_are_those_of_the_class_that_is_shown():
    moment = walk("w = 3 ~ 3; class = fox ~ owl").at(1)
    torch.testing.assert_close(moment.latent.data[:, 0], 3 * ATLAS.z(3) + 1 + 1)


def test_layer_noise_moves_on_its_own_shell():
    noise = walk("noise = 1 ~ 2; z = 4").at(0.5)
    assert noise.latent.space is Space.Z
    assert noise.layer_noise is not None
    for a, b, between in zip(
        ATLAS.layer_noise(1), ATLAS.layer_noise(2), noise.layer_noise, strict=True
    ):
        assert torch.equal(between, geometry.slerp(a, b, 0.5))
    assert walk("z = 4").at(0).layer_noise is None


def test_what_does_not_move_is_what_the_recipe_says():
    owl = Condition(classes=ATLAS.classes("owl"))
    still = walk("psi = 1", seed=12, condition=owl).at(0.5)
    torch.testing.assert_close(still.latent.data[:, 0], 3 * ATLAS.z(12) + 1 + 1)
    assert still.condition is owl


def test_a_model_without_styles_says_so():
    for text in ("psi = 1 ~ 0.4", "w = 1 ~ 2", "w[coarse] = 1", "noise = 1"):
        with pytest.raises(Unsupported, match="this model has no styles; leave it out"):
            Walk(parse_path(text), ATLAS)
    assert Walk(parse_path("z = 1 ~ 2; class = fox"), ATLAS).at(0.5).latent.space is Space.Z


def test_what_the_model_lacks_is_said_before_the_walk_begins():
    with pytest.raises(RecipeError, match="no class 'fix'"):
        walk("class = fox ~ fix")
    with pytest.raises(RecipeError, match="no styles '7-9'; this model has 9, 0 to 8"):
        walk("w[7-9] = 1")


class GuidedAtlas(ToyAtlas):
    """Knows directions, too: pcN is N + 1 in each component."""

    def direction(self, name, condition):
        return torch.full((1, ATLAS.z(0).numel()), float(name[2:]) + 1)


def test_moves_are_added_to_z_and_in_w_before_psi():
    assert isinstance(GuidedAtlas(), Guide)
    assert not isinstance(ATLAS, Guide)
    path = parse_path("z = 7; move = 0*pc0 ~ 2*pc1 - pc0")
    moved = Walk(path, GuidedAtlas()).at(0.5).latent
    torch.testing.assert_close(moved.data, ATLAS.z(7) + 1.5)
    assert torch.equal(Walk(path, GuidedAtlas()).at(0.0).latent.data, ATLAS.z(7))
    styled = Walk(parse_path("z = 7; move = pc1; psi = 0.5"), GuidedAtlas(), styled=STYLED)
    moment = styled.at(0.0)
    assert moment.latent.space is Space.W_PLUS
    plain = STYLED.map(walk("z = 7").at(0.0).latent, None).data
    torch.testing.assert_close(
        moment.latent.data, geometry.truncate_psi(plain + 2, STYLED.w_avg, 0.5)
    )
    with pytest.raises(Unsupported, match="knows seeds, no directions"):
        walk("z = 7; move = pc0")
