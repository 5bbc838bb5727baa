"""Walks: frames of a path, loops that close, an even pace, strips and frames that replay."""

import itertools

import pytest
import torch
from PIL import Image

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.images import resize, to_uint8
from phosphene.core.weights import save_weights
from phosphene.explore.pace import unevenness
from phosphene.explore.tricks import TRICKS
from phosphene.nn.features import FeatureNet
from phosphene.studio.artifact import read_artifact
from phosphene.studio.craft import Painted
from phosphene.studio.edit import edit
from phosphene.studio.recipe import Edit, Sample, Walk
from phosphene.studio.replay import replay
from phosphene.studio.sample import sample
from phosphene.studio.walk import walk
from tests.studio.gan_zoo import gan_zoo, save_styled

USAGES = {
    "breed": "breed(fox, owl)",
    "background": "background(7)",
    "zoom": "zoom(7)",
    "rotary": "rotary(7, 8)",
    "same-seed": "same-seed(7, fox, owl, cat)",
    "arithmetic": "arithmetic(fox, fox - owl + cat)",
    "life-of": "life-of(owl, 1, 2, 3)",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A zoo, and its models by name."""
    home = tmp_path_factory.mktemp("gans")
    zoo, animals, clear = gan_zoo(home)
    styled = str(save_styled(home / "styled.safetensors"))
    torch.manual_seed(5)
    network = {"family": "features", "arch": "efficientnet-lite0", "size": 224}
    save_weights(home / "eye.safetensors", FeatureNet().state_dict(), network)
    eye = str(home / "eye.safetensors")
    return zoo, {"animals": animals, "clear": clear, "styled": styled, "eye": eye}


def steps_of(models, name, path, folder=None, **fields):
    zoo, paths = models
    asked = {"seed": 3, "num_frames": 8, "even": False, **fields}
    return list(walk(Walk(model=paths[name], path=path, **asked), zoo, folder=folder))


def frames_of(steps):
    return [step.images for step in steps[:-1]]


def test_frames_are_the_pictures_of_the_stops(models):
    zoo, paths = models
    steps = steps_of(models, "clear", "z = 5 ~ 6 ~ 9@0.75", num_frames=9)
    assert [step.index for step in steps] == list(range(10))
    assert {step.total for step in steps} == {10}
    frames = frames_of(steps)
    for frame, seed in ((0, 5), (3, 6), (6, 9), (8, 9)):
        (alone,) = sample(Sample(model=paths["clear"], seed=seed), zoo)
        assert torch.equal(frames[frame], alone.images), seed
    assert not torch.equal(frames[0], frames[1])


def test_a_loop_closes(models):
    (loop,) = (steps_of(models, "animals", "z = 1 ~ 2; class = fox ~ owl; loop", num_frames=4),)
    there = steps_of(models, "animals", "z = 1 ~ 2 ~ 1; class = fox ~ owl ~ fox", num_frames=5)
    assert torch.equal(frames_of(there)[0], frames_of(there)[4])
    for a, b in zip(frames_of(loop), frames_of(there)[:4], strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("trick", TRICKS)
def test_every_trick(models, trick):
    frames = frames_of(steps_of(models, "animals", USAGES[trick], num_frames=4))
    assert not torch.equal(frames[0], frames[3])


def test_a_class_that_the_path_does_not_move_is_the_seeds(models):
    frames = [frames_of(steps_of(models, "animals", "z = 7", seed=s, num_frames=1)) for s in (3, 3)]
    assert torch.equal(*(frame[0] for frame in frames))
    # six classes in a row are not all the same
    many = [
        frames_of(steps_of(models, "animals", "z = 7", seed=s, num_frames=1))[0] for s in range(6)
    ]
    assert len({tuple(to_uint8(image).flatten().tolist()) for image in many}) > 1


def test_psi_styles_and_layer_noise_move(models):
    still = frames_of(steps_of(models, "styled", "z = 1", num_frames=2))
    assert torch.equal(*still)
    for path in ("psi = 1 ~ 0", "noise = 1 ~ 2", "w[3-4] = 1 ~ 2", "w = 1 ~ 2", "z = 1 ~ 2"):
        moved = frames_of(steps_of(models, "styled", path, num_frames=2))
        assert not torch.equal(*moved), path
    fixed = frames_of(steps_of(models, "styled", "z = 1 ~ 2", truncation_psi=0.0, num_frames=2))
    assert torch.equal(*fixed)
    (named,) = frames_of(steps_of(models, "styled", "z = 1; psi = 0.3", num_frames=1))
    (field,) = frames_of(steps_of(models, "styled", "z = 1", truncation_psi=0.3, num_frames=1))
    assert torch.equal(named, field)


@pytest.mark.slow
def test_an_even_pace_is_measured_and_told(models):
    path = "z = 1 ~ 2@0.2 ~ 3"
    steps = steps_of(models, "animals", path, num_frames=16, even=True, features=models[1]["eye"])
    (said,) = [note for step in steps for note in step.notes]
    assert said.startswith("speed: uneven by ")
    before, after = (float(word.rstrip("%")) for word in said.split() if word.endswith("%"))
    assert after < before / 2
    assert [step.index for step in steps] == list(range(len(steps)))
    assert all(step.index < step.total for step in steps)
    assert steps[-1].index == steps[-1].total - 1
    times = steps[-1].artifact.manifest.recipe.times
    assert times[0] == 0
    assert times[-1] == 1
    assert times[3] != pytest.approx(0.2)
    eye = models[0].load(models[1]["eye"])
    frames = [resize(step.images, 128, 128) for step in steps[-17:-1]]
    gaps = [float(eye.distance(a, b).sqrt()) for a, b in itertools.pairwise(frames)]
    assert 100 * unevenness(gaps) == pytest.approx(after, abs=0.1)


def test_colours_are_compared_where_the_network_is_not_here(models):
    steps = steps_of(models, "clear", "z = 1 ~ 2@0.2 ~ 3", num_frames=16, even=True)
    first, last = [note for step in steps for note in step.notes]
    assert first.startswith("frames are compared by their colours: ")
    assert "efficientnet-lite0" in first
    before, after = (float(word.rstrip("%")) for word in last.split() if word.endswith("%"))
    assert after < before


def test_the_strip_shows_frames_in_a_row(models):
    *_, last = steps_of(models, "clear", "z = 1 ~ 2", num_frames=7, num_shown=4)
    assert isinstance(last, Painted)
    frames = frames_of(steps_of(models, "clear", "z = 1 ~ 2", num_frames=7))
    strip = last.artifact.image
    assert strip.shape == (4, 16 + 4, 4 * 18 + 2)
    for place, number in enumerate((0, 2, 4, 6)):
        assert torch.equal(strip[:, 2:18, 2 + 18 * place : 18 + 18 * place], frames[number][0])
    *_, loop = steps_of(models, "clear", "z = 1 ~ 2; loop", num_frames=8, num_shown=4)
    frames = frames_of(steps_of(models, "clear", "z = 1 ~ 2; loop"))
    assert torch.equal(loop.artifact.image[:, 2:18, 20:36], frames[2][0])


@pytest.mark.parametrize(
    ("name", "path", "fields"),
    [
        ("animals", "breed(fox, owl) : smooth; z = 7", {"even": True}),
        ("clear", "rotary(7, 8)", {"side": 40, "truncation_threshold": 1.0}),
        ("styled", "psi = 1 ~ 0.4; w[coarse] = 5 ~ 6; noise = 1 ~ 2; loop", {"even": True}),
        ("clear", {"tracks": {"z": ["7", {"value": "8", "at": 0.3}]}, "loop": True}, {}),
    ],
)
def test_strips_and_frames_replay(models, tmp_path, name, path, fields):
    *_, last = steps_of(models, name, path, tmp_path / "run", keep_frames=True, **fields)
    last.artifact.save(tmp_path / "x.png")
    verdict = replay(tmp_path / "x.png", models[0])
    assert verdict.identical
    assert verdict.reasons == ()
    frames = sorted(last.beside["-frames"].iterdir())
    assert [frame.name for frame in frames] == [f"{i:06d}.png" for i in range(8)]
    for frame in frames[::3]:
        assert replay(frame, models[0]).identical
    hashes = {read_artifact(frame).manifest.pixel_sha256 for frame in frames}
    assert len(hashes) >= 5  # a loop of two stops comes back the way it went


def test_a_film_of_a_clear_model_lies_on_white(models, tmp_path):
    *_, last = steps_of(models, "clear", "z = 1 ~ 2; loop", tmp_path, video="gif", side=32)
    assert list(last.beside) == [".gif"]
    with Image.open(last.beside[".gif"]) as film:
        assert film.n_frames == 8
        assert film.size == (32, 32)


def test_nothing_is_written_without_a_folder(models):
    assert steps_of(models, "clear", "z = 1 ~ 2", video="gif")[-1].beside == {}


@pytest.mark.parametrize(
    ("name", "path", "fields", "error", "said"),
    [
        ("animals", "zz = 7 ~ 8", {}, RecipeError, "unknown track 'zz'; did you mean 'z'"),
        ("animals", "loop", {}, RecipeError, "no keyframes leads nowhere"),
        ("animals", {"tracks": {"z": []}}, {}, RecipeError, "no keyframes"),
        ("animals", "class = fox ~ dog", {}, RecipeError, "no class 'dog'"),
        ("clear", "breed(fox, owl)", {}, Unsupported, "knows no classes"),
        ("clear", "psi = 1 ~ 0", {}, Unsupported, "moves psi, but this model has no styles"),
        ("styled", "psi = -1 ~ 0", {}, RecipeError, "psi is -1; use 0"),
        ("styled", "psi = 1 ~ 0", {"truncation_psi": 0.5}, RecipeError, "the path moves psi"),
        ("styled", "w[7-9] = 1", {}, RecipeError, "no styles '7-9'; this model has 6"),
        ("clear", "z = 1 ~ 2", {"even": True, "features": "#"}, Unsupported, "how different"),
    ],
)
def test_mistakes(models, name, path, fields, error, said):
    if fields.get("features"):
        fields = {**fields, "features": models[1]["animals"]}
    with pytest.raises(error, match=said):
        steps_of(models, name, path, **fields)


def test_each_frame_is_the_same_alone_and_among_others(models):
    steps = steps_of(models, "styled", "w = 1 ~ 2 ~ 3 : curve; loop")
    times = steps[-1].artifact.manifest.recipe.times
    alone = steps_of(
        models, "styled", "w = 1 ~ 2 ~ 3 : curve; loop", num_frames=1, times=times[5:6]
    )
    assert torch.equal(alone[0].images, steps[5].images)


def test_a_walk_of_one_frame_is_that_frame_in_full(models):
    asked = {"num_frames": 1, "side": 200}
    *_, last = steps_of(models, "clear", "z = 7", **asked)
    assert last.artifact.image.shape[-2:] == (200, 200)
    assert replay(last.artifact, models[0]).identical
    *_, several = steps_of(models, "clear", "z = 7", num_frames=2, num_shown=1, side=200)
    assert several.artifact.image.shape[-1] < 200


def test_a_walk_of_one_frame_can_be_edited(models, tmp_path):
    zoo, _paths = models
    for name in ("clear", "styled"):
        *_, last = steps_of(models, name, "z = 0.6*7 + 0.8*8; move = pc0", num_frames=1)
        last.artifact.save(tmp_path / "here.png")
        source = str(tmp_path / "here.png")
        *_, same = edit(Edit(source=source, directions=("pc0:0",)), zoo)
        torch.testing.assert_close(same.artifact.image, last.artifact.image, atol=1e-4, rtol=1e-4)
