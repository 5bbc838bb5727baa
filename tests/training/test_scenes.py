import itertools
import json
import re

import numpy as np
import pytest
import torch

from phosphene.core.errors import RecipeError
from phosphene.training import grounds
from phosphene.training.emoji_names import COLOURS
from phosphene.training.example import Source
from phosphene.training.renderings import RENDERINGS
from phosphene.training.scenes import SceneSource

COUNT = 400
HELD_OUT = {"swan", "duck", "grapes"}


@pytest.fixture(scope="module")
def source(emoji_set):
    return SceneSource(emoji_set, size=48)


@pytest.fixture(scope="module")
def scenes(source):
    """(scene as painted, picture before the rendering) by index."""
    found = []
    for index in range(COUNT):
        dice = source._rng.fork(index).dice()
        planned = source._plan(dice, source._cast_rng.fork(index).dice())
        canvas, scene = source._paint(planned, dice)
        found.append((scene, np.asarray(canvas).astype(int)))
    return found


def same(a, b):
    return a.caption == b.caption and a.concept == b.concept and torch.equal(a.image, b.image)


def test_examples_have_the_promised_form(source):
    assert isinstance(source, Source)
    assert len(source) > 0
    for index in range(40):
        example = source.example(index)
        assert example.image.shape == (3, 48, 48)
        assert example.image.dtype == torch.uint8
        assert example.caption.strip() == example.caption != ""
        assert "  " not in example.caption


def test_depends_on_seed_and_index_alone(emoji_set, source):
    fresh = SceneSource(emoji_set, size=48)
    forwards = [source.example(i) for i in range(12)]
    backwards = [fresh.example(i) for i in reversed(range(12))][::-1]
    assert all(same(a, b) for a, b in zip(forwards, backwards, strict=True))
    other = SceneSource(emoji_set, size=48, seed=1)
    assert not any(same(forwards[i], other.example(i)) for i in range(12))


def test_sizes_show_the_same_scene(emoji_set, source):
    large = SceneSource(emoji_set, size=96)
    for index in range(20):
        assert large.example(index).concept == source.example(index).concept


def held_out_names(emoji_set):
    concepts = json.loads((emoji_set / "index.json").read_text())["concepts"]
    return {name for name, c in concepts.items() if c["held_out"]}


def test_training_never_meets_the_held_out(emoji_set, source, scenes):
    secret = held_out_names(emoji_set)
    assert secret == HELD_OUT
    shown = {figure.subject.name for scene, _ in scenes for figure in scene.figures}
    assert not shown & secret
    assert len(shown) > 5
    for index in range(COUNT):
        assert not secret & set(re.findall(r"[a-z]+", source.example(index).caption))


def test_held_out_shows_only_those(emoji_set):
    source = SceneSource(emoji_set, size=32, split="held-out")
    assert {source.example(i).concept for i in range(40)} == HELD_OUT
    both = SceneSource(emoji_set, size=32, split="all")
    assert {"swan", "sun"} <= {both.example(i).concept for i in range(150)}


def test_a_keyword_does_not_betray_the_held_out(emoji_set, tmp_path):
    index = json.loads((emoji_set / "index.json").read_text())
    index["concepts"]["sun"]["keywords"] = ["swan", "bright"]
    index["concepts"]["sun"]["names"] = ["duck", "star of day"]
    (tmp_path / "index.json").write_text(json.dumps(index))
    (sun,) = [s for s in SceneSource(tmp_path).subjects if s.name == "sun"]
    assert sun.keywords == ("bright",)
    assert sun.names == ("star of day",)


def test_named_colours_are_the_ground(scenes):
    seen = 0
    for scene, pixels in scenes:
        if scene.said_ground and scene.ground in grounds.COLOURS:
            colour = grounds.COLOURS[scene.ground]
            corners = pixels[[0, 0, -1, -1], [0, -1, 0, -1]]
            near = np.abs(corners - colour).max(axis=1) <= 8
            assert near.sum() >= 3, "an object may cover a corner"
            assert scene.ground in scene.said_ground
            seen += 1
    assert seen > 20


def test_white_is_white_and_mostly_unsaid(scenes):
    white = [(scene, pixels) for scene, pixels in scenes if scene.ground == "white"]
    assert 0.35 * COUNT < len(white) < 0.65 * COUNT
    for _, pixels in white:
        corners = pixels[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert (corners == 255).all(axis=1).sum() >= 3
    assert sum(bool(scene.said_ground) for scene, _ in white) < 0.25 * len(white)


def test_sizes_are_true(scenes):
    said = [(s.adjectives[0], s.figures[0].side) for s, _ in scenes if s.adjectives]
    assert len(said) > 20
    for word, side in said:
        if word in ("small", "tiny", "very small"):
            assert side <= 0.5
        else:
            assert side >= 0.95


def centre_of_object(scene, pixels):
    ground = np.array(grounds.COLOURS.get(scene.ground, (255, 255, 255)))
    rows, columns = np.nonzero(np.abs(pixels - ground).max(axis=2) > 40)
    return (rows.mean() / len(pixels), columns.mean() / len(pixels))


def test_places_are_true(scenes):
    seen = 0
    for scene, pixels in scenes:
        if not scene.said_place or scene.ground in grounds.PLACES:
            continue
        row, column = centre_of_object(scene, pixels)
        words = set(scene.said_place.split())
        if words & {"middle", "centre", "center"}:
            assert abs(row - 0.5) < 0.12
            assert abs(column - 0.5) < 0.12
            continue
        assert ("top" in words) == (row < 0.45)
        assert ("bottom" in words) == (row > 0.55)
        assert ("left" in words) == (column < 0.45)
        assert ("right" in words) == (column > 0.55)
        seen += 1
    assert seen > 10


def test_things_stand_as_said(scenes):
    counts = {1: 0, 2: 0, 3: 0}
    for scene, _ in scenes:
        counts[len(scene.figures)] += 1
        for a, b in itertools.pairwise(scene.figures):
            assert (a.x < b.x - 0.15) if scene.layout == "row" else (a.y < b.y - 0.15)
    assert counts[1] > 0.6 * COUNT
    assert counts[2] > 0.12 * COUNT
    assert counts[3] > 0


def test_recolouring_leaves_told_colours_alone(scenes):
    recoloured = 0
    for scene, _ in scenes:
        for figure in scene.figures:
            if figure.colour is not None:
                assert not figure.subject.words & COLOURS
                recoloured += 1
    assert recoloured > 5


def test_renderings_are_common_and_say_no_colour_they_lose(scenes):
    rendered = [scene for scene, _ in scenes if scene.rendering is not None]
    assert 0.25 * COUNT < len(rendered) < 0.45 * COUNT
    for scene in rendered:
        if RENDERINGS[scene.rendering].keeps == "shapes":
            assert scene.said_ground == ""
            assert all(figure.colour is None for figure in scene.figures)
        if RENDERINGS[scene.rendering].keeps == "objects" and scene.said_ground:
            assert scene.ground in grounds.PLACES


def test_objects_are_told_from_their_ground(scenes):
    for scene, pixels in scenes:
        assert pixels.reshape(-1, 3).std(axis=0).max() > 8, scene


def test_captions_vary(source):
    captions = [source.example(i).caption for i in range(COUNT)]
    assert len(set(captions)) > 0.8 * COUNT
    assert any(" | " in caption for caption in captions)
    assert any(" above " in caption or " on top of " in caption for caption in captions)


def test_siblings_share_their_objects(emoji_set):
    source = SceneSource(emoji_set, size=32, siblings=4)
    for first in range(0, 80, 4):
        concepts = {source.example(first + i).concept for i in range(4)}
        assert len(concepts) == 1


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"split": "test"}, "unknown split 'test'"),
        ({"size": 4}, "size 4 is out of range"),
    ],
)
def test_wrong_requests_are_one_line(emoji_set, kwargs, message):
    with pytest.raises(RecipeError, match=message) as caught:
        SceneSource(emoji_set, **kwargs)
    assert "\n" not in str(caught.value)


def test_no_set_there(tmp_path):
    with pytest.raises(RecipeError, match="phosphene data emoji"):
        SceneSource(tmp_path)


def test_plain_scenes_show_one_object_large_on_white(emoji_set, source):
    plain = SceneSource(emoji_set, size=48, plain_share=1.0)
    styles = set()
    for index in range(60):
        dice = plain._rng.fork(index).dice()
        assert dice.random() < plain.plain_share
        scene = plain._plain(dice, plain._cast_rng.fork(index).dice())
        (figure,) = scene.figures
        assert (figure.x, figure.y) == (0.5, 0.5)
        assert 0.85 <= figure.side <= 0.95
        assert (scene.rendering, scene.said_ground) == (None, "")
        assert figure.colour is None
        styles.add(figure.style)
        example = plain.example(index)
        corners = example.image[:, [0, 0, -1, -1], [0, -1, 0, -1]].float()
        assert float(corners.mean()) > 200
        assert example.concept == figure.subject.name
    assert len(styles) > 2


def test_the_share_of_plain_scenes_is_kept(emoji_set):
    mixed = SceneSource(emoji_set, size=16, plain_share=0.4)
    rolls = [mixed._rng.fork(index).dice().random() < 0.4 for index in range(1000)]
    assert abs(sum(rolls) / 1000 - 0.4) < 0.06


def test_plain_siblings_share_their_object(emoji_set):
    plain = SceneSource(emoji_set, size=16, siblings=2, plain_share=1.0)
    concepts = [plain.example(index).concept for index in range(20)]
    assert all(a == b for a, b in zip(concepts[::2], concepts[1::2], strict=True))
    assert len(set(concepts)) > 3


def test_a_drawing_shows_the_same_things_in_the_same_places(emoji_set):
    """Where a scene is plain, on white, and in its own colours, the two are one."""
    source, drawn = SceneSource(emoji_set, size=48), SceneSource(emoji_set, size=48, drawn=True)
    alike = 0
    for index in range(120):
        example, pair = source.example(index), drawn.example(index)
        assert pair.caption == example.caption
        assert torch.equal(pair.image[:3], example.image)
        drawing = pair.image[3:]
        assert drawing.shape == (3, 48, 48)
        dice = source._rng.fork(index).dice()
        planned = source._plan(dice, source._cast_rng.fork(index).dice())
        _, scene = source._paint(planned, dice)
        plain = scene.ground == "white" and scene.rendering is None
        if plain and all(figure.colour is None for figure in scene.figures):
            assert torch.equal(drawing, example.image)
            alike += 1
    assert alike > 10


def test_a_drawing_has_its_own_colours_on_white(emoji_set):
    source = SceneSource(emoji_set, size=48, drawn=True)
    for index in range(40):
        corners = source.example(index).image[3:, [0, 0, -1, -1], [0, -1, 0, -1]]
        assert (corners == 255).all(dim=0).sum() >= 3
