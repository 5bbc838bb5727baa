"""Named tricks: each is the line that its formula says, and moves a toy model as it should."""

import re

import pytest
import torch

from phosphene.core.errors import RecipeError
from phosphene.explore.path_text import parse_path
from phosphene.explore.paths import frame_times
from phosphene.explore.tricks import TRICKS, line_of
from phosphene.explore.walk import Walk
from tests.explore.toy_models import ToyAtlas, ToyStyled
from tests.rules.syntax import ROOT

ATLAS = ToyAtlas()


def walk(text, **options):
    return Walk(parse_path(text), ATLAS, **options)


def z_at(text, time):
    return walk(text).at(time).latent.data


def classes_at(text, time):
    return walk(text).at(time).condition.classes


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_breed_mixes_classes(share):
    fox, owl = ATLAS.classes("fox"), ATLAS.classes("owl")
    wanted = share * fox + (1 - share) * owl
    torch.testing.assert_close(classes_at(f"breed(fox, owl, {share})", 0.3), wanted)
    torch.testing.assert_close(classes_at("breed(fox, owl)", 1 - share), wanted)


def test_background_goes_to_the_sine_of_z():
    z = ATLAS.z(7)
    assert torch.equal(z_at("background(7)", 0), z)
    torch.testing.assert_close(z_at("background(7)", 1), torch.sin(z))


@pytest.mark.parametrize("time", [0, 0.25, 0.5, 1])
def test_zoom_is_minus_a_times_the_direction(time):
    z = ATLAS.z(7)
    length = z.norm()
    torch.testing.assert_close(z_at("zoom(7)", time), -time * length * z / length)
    torch.testing.assert_close(z_at("zoom(7, 2, 12)", time), -(2 + 10 * time) * z / length)
    nearest = -(2 + (length - 2) * time) * z / length
    torch.testing.assert_close(z_at("zoom(7, 2)", time), nearest)


def test_rotary_turns_evenly_at_one_length_and_closes():
    turning = walk("rotary(7, 8)")
    assert turning.path.loop
    z = ATLAS.z(7)
    across = turning.at(0.25).latent.data
    assert abs(float((z * across).sum())) < 1e-4
    for time in (0.0, 0.1, 0.6, 0.99):
        angle = torch.tensor(2 * torch.pi * time)
        wanted = torch.cos(angle) * z + torch.sin(angle) * across
        torch.testing.assert_close(turning.at(time).latent.data, wanted, atol=1e-5, rtol=0)


def test_same_seed_shows_each_class_as_long():
    shown = walk("same-seed(7, fox, owl, 'bow tie')")
    moments = [shown.at(time) for time in frame_times(9, False)]
    assert all(torch.equal(moment.latent.data, ATLAS.z(7)) for moment in moments)
    order = [int(moment.condition.classes.argmax()) for moment in moments]
    assert order == [0, 0, 0, 1, 1, 1, 3, 3, 3]


def test_arithmetic_ends_at_the_sum():
    wanted = ATLAS.classes("fox") - ATLAS.classes("owl") + ATLAS.classes("bow tie")
    line = "arithmetic(fox, fox - owl + bow tie)"
    assert torch.equal(classes_at(line, 0), ATLAS.classes("fox"))
    torch.testing.assert_close(classes_at(line, 1), wanted)


def test_a_life_passes_through_its_seeds():
    life = walk("life-of(owl, 1, 2, 3)")
    for time, seed in ((0, 1), (0.5, 2), (1, 3)):
        assert torch.equal(life.at(time).latent.data, ATLAS.z(seed))
        assert torch.equal(life.at(time).condition.classes, ATLAS.classes("owl"))


def test_tricks_combine_with_tracks_and_easings():
    path = parse_path("breed(fox, owl) : smooth; psi = 0.7; background(7)")
    assert path.tracks["class"].ease == "smooth"
    assert path.tracks["z"].ease == "linear"
    assert set(path.tracks) == {"class", "psi", "z"}
    moment = Walk(path, ATLAS, styled=ToyStyled()).at(0.5)
    torch.testing.assert_close(
        moment.condition.classes, (ATLAS.classes("fox") + ATLAS.classes("owl")) / 2
    )


@pytest.mark.parametrize("name", TRICKS)
def test_the_usage_of_each_trick_is_read(name):
    for usage in TRICKS[name].usage.replace(" or ", "; ").replace("), ", "); ").split("; "):
        assert parse_path(usage.strip()).tracks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("breed(fox)", "breed got 1 arguments; write breed(fox, owl)"),
        ("breed(fox, owl, half)", "'half' is no number; write breed"),
        ("zoom(7, near)", "'near' is no number; write zoom"),
        ("rotary(7)", "rotary got 1 arguments"),
        ("background(fox)", "'fox' is no seed"),
    ],
)
def test_misused_tricks_say_how(text, message):
    with pytest.raises(RecipeError) as caught:
        parse_path(text)
    assert message in str(caught.value)


def test_an_unknown_trick_is_named():
    with pytest.raises(RecipeError, match="unknown trick 'zom'; did you mean 'zoom'"):
        line_of("zom", ["7"])


def test_the_docs_say_what_each_trick_stands_for():
    page = (ROOT / "docs" / "paths.md").read_text().partition("## Tricks")[2]
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", page, re.MULTILINE)
    assert {re.split(r"\(", trick)[0] for trick, _ in rows} == set(TRICKS)
    for trick, line in rows:
        assert parse_path(trick) == parse_path(line), trick
