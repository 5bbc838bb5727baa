"""The recipe of a film: what it says of each frame, and what it refuses."""

import json
import tomllib

import pytest

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe import Animate, Imagine, Zoom
from phosphene.studio.recipe_text import dump_recipe, parse_recipe, recipe_with
from phosphene.studio.recipes.fields import MAX_SEED


def film(**fields):
    return parse_recipe({"kind": "animate", "of": {"prompt": "a fox", "seed": 7}, **fields})


def test_numbers_tables_and_text_are_the_same_curve():
    for given in ("0:1, 30:1.05", {"0": 1, "30": 1.05}, {0: 1, 30: 1.05}):
        recipe = film(zoom=given)
        assert recipe.camera(15) == Zoom(scale=1.025, every=1)
    assert film(zoom=1.5).camera(9).scale == 1.5
    assert film(shift_x="2:4", shift_y=-3, angle=1).camera(1) == Zoom(
        scale=1.02, angle=1, shift_x=4, shift_y=-3, every=1
    )


def test_what_is_allowed_is_allowed_of_the_camera():
    """Bounds of the curves are those of `Zoom`."""
    film(zoom="0:0.5, 9:2", angle="0:-360, 9:360", shift_x="0:-4096, 9:4096").camera(4)
    for bounds in ("0.5", "2"):
        film(zoom=bounds).camera(0)


def test_it_is_read_from_toml_and_written_as_json():
    text = """
    kind = "animate"
    num_frames = 40
    zoom = "0:1, 30:1.05"
    strength = 0.5
    prompts = { 0 = "a fox", 30 = "an owl" }
    [of]
    method = "diffusion"
    """
    recipe = parse_recipe(tomllib.loads(text))
    assert recipe.of == Imagine(prompt="a fox", method="diffusion")
    assert recipe.prompts == {0: "a fox", 30: "an owl"}
    assert parse_recipe(json.loads(dump_recipe(recipe))) == recipe


def test_words_of_a_frame():
    recipe = film(prompts="3: an owl; 1: a cat")
    assert list(recipe.prompts) == [1, 3]
    assert [recipe.words_at(n) for n in range(5)] == ["a fox", "a cat", "a cat", "an owl", "an owl"]
    assert recipe.title == "a fox to a cat to an owl animation"


def test_set_changes_film_and_pictures():
    recipe = recipe_with(
        film(), {"zoom": "0:1, 9:2", "prompts": '{"2": "x; 3: y"}', "of.method": "diffusion"}
    )
    assert (recipe.zoom, recipe.prompts) == ("0:1, 9:2", {2: "x; 3: y"})
    assert recipe.of.method == "diffusion"
    assert recipe_with(recipe, {"strength": "1"}).strength == "1"


def test_seeds_are_counted_and_drawn():
    recipe = film(num_frames=3)
    assert recipe.with_seed() is recipe
    assert (recipe.all_seeds(), recipe.labels(), recipe.leaves_files) == ((7, 8, 9), ["7"], True)
    drawn = Animate(of=Imagine(prompt="x"), num_frames=2).with_seed()
    assert drawn.all_seeds() == (drawn.of.seed, drawn.of.seed + 1)


def test_the_picture_of_a_frame():
    recipe = film(prompts={1: "an owl"}, strength="1:0.5, 2:0.3")
    search = recipe_with(
        recipe, {"of.iterations": "10", "of.init_image": "a.png", "of.method": "vqgan-clip"}
    )
    assert search.picture(0, "a fox") == search.of
    second = search.picture(2, "an owl")
    assert (second.prompt, second.seed, second.start, second.iterations) == (
        "an owl",
        9,
        "image",
        3,
    )
    assert (second.init_image, second.strength) == (None, 0.6)
    denoised = recipe_with(search, {"of.method": "diffusion"}).picture(1, "an owl")
    assert (denoised.strength, denoised.iterations, denoised.start) == (0.5, 10, "auto")
    usual = recipe_with(search, {"of.method": "diffusion"}).model_copy(update={"strength": None})
    assert usual.picture(1, "an owl").strength == 0.7
    # shapes stay: all frames are painted after the first one's drawing, or the one that is named
    assert denoised.drawing_seed == recipe.all_seeds()[0]
    named = recipe_with(search, {"of.method": "diffusion", "of.drawing_seed": "3"})
    assert named.picture(1, "an owl").drawing_seed == 3


def test_until_a_frame_nothing_later_counts():
    early = film(num_frames=9, prompts="1: a; 5: b", video="gif", keep_frames=True).until(3)
    assert early == film(num_frames=4, prompts="1: a", video=None, num_shown=1)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"num_frames": 0}, "num_frames: 0 should be greater than or equal to 1"),
        ({"num_frames": 10_001}, "num_frames: 10001 should be less than or equal to 10000"),
        ({"frames": 3}, "unknown key 'frames'; did you mean 'num_frames'"),
        ({"zoom": "fast"}, "zoom: 'fast' should be a number, or keyframes as 0:1, 30:1.05"),
        ({"zoom": 3}, "zoom: 3 at frame 0 should be 0.5 to 2"),
        ({"zoom": True}, "zoom: True should be a valid string"),
        ({"angle": "0:0, 5:400"}, "angle: 400 at frame 5 should be -360 to 360"),
        ({"shift_x": "5000"}, "shift_x: 5000 at frame 0"),
        ({"shift_y": "0:1, 0:2"}, "shift_y: keyframes should rise"),
        ({"strength": "0"}, "strength: 0 at frame 0 should be above 0, up to 1"),
        ({"prompts": "an owl"}, "prompts: 'an owl' should be a frame and its words"),
        ({"prompts": {"x": "an owl"}}, "prompts.x"),
        ({"prompts": {"-1": "an owl"}}, "prompts.-1"),
        ({"prompts": "5: a ^ b"}, "prompts: a story (^) is told by its frames"),
        ({"of": {"prompt": "a ^ b"}}, "prompts: a story (^) is told by its frames"),
        ({"of": {}}, "'of.prompt' is missing"),
        ({"of": {}, "prompts": "3: a fox"}, "'of.prompt' is missing"),
        ({"of": 3}, "of: 3"),
        ({"of": {"promt": "x"}}, "of"),
        ({"of": {"prompt": "x", "sed": 3}}, "unknown key 'sed'; did you mean 'seed'"),
        ({"of": {"prompt": "x", "count": 2}}, "of: should ask for one picture"),
        ({"of": {"prompt": "{a|b}", "alternatives": "all"}}, "of: should ask for one picture"),
        ({"of": {"prompt": "x", "method": "gan-clip"}}, "of.method: gan-clip cannot go on"),
        ({"of": {"prompt": "x", "zoom": {}}}, "of.zoom: should be left out"),
        ({"of": {"prompt": "x", "video": "gif"}}, "of.video: should be left out"),
        ({"of": {"prompt": "x", "save_every": 2}}, "of.save_every: should be left out"),
        ({"of": {"prompt": "x", "seed": MAX_SEED}}, "should leave room for 60 pictures"),
        ({"video": "avi"}, "video: 'avi'"),
    ],
)
def test_mistakes(fields, said):
    with pytest.raises(RecipeError) as caught:
        film(**fields)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
