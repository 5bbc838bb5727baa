import pytest

from phosphene.core.errors import RecipeError
from phosphene.explore.path_text import parse_path
from phosphene.studio.recipe import Walk
from phosphene.studio.recipe_text import parse_recipe, recipe_with
from phosphene.studio.recipes.fields import MAX_SEED


def test_without_a_path_it_goes_through_four_seeds_and_back():
    walk = Walk(seed=5).with_seed()
    assert walk.path == "z = 5 ~ 6 ~ 7 ~ 8 : curve; loop"
    assert walk.with_seed() is walk
    assert parse_path(Walk(seed=MAX_SEED).with_seed().path).loop
    drawn = Walk().with_seed()
    assert drawn.path.startswith(f"z = {drawn.seed} ~ ")


def test_a_path_stays_as_it_is():
    walk = Walk(path="z = 1 ~ 2").with_seed()
    assert walk.path == "z = 1 ~ 2"
    assert walk.seed is not None
    parts = {"tracks": {"z": ["7", {"value": "8", "at": 0.3}]}, "loop": True}
    assert parse_recipe({"kind": "walk", "path": parts}).path == parts


def test_its_files_are_named_after_the_generator():
    walk = Walk(model="runs/x.safetensors", seed=7)
    assert (walk.title, walk.labels(), walk.leaves_files) == ("x walk", ["7"], False)
    assert Walk(video="gif").leaves_files
    assert Walk(keep_frames=True).leaves_files


def test_set_reads_times_and_paths_as_text():
    walk = recipe_with(Walk(), {"num_frames": "2", "path": "z = 1; loop"})
    assert walk.path == "z = 1; loop"
    assert recipe_with(walk, {"times": "0,0.5"}).times == (0.0, 0.5)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"num_frames": 0}, "num_frames: 0 should be greater than or equal to 1"),
        ({"num_frames": 10**9}, "num_frames: 1000000000 should be less than or equal to 10000"),
        ({"truncation_psi": -1}, "truncation_psi: -1 should be greater than or equal to 0"),
        ({"truncation_threshold": 0}, "truncation_threshold: 0 should be greater than 0"),
        ({"times": [0.5, 0.2], "num_frames": 2}, "times: should rise"),
        ({"times": [0, 2], "num_frames": 2}, "times.1: 2 should be less than or equal to 1"),
        ({"times": [0, 1]}, "times: should be one for each frame; 2 for 60"),
        ({"video": "avi"}, "video: 'avi'"),
        ({"frames": 3}, "unknown key 'frames'; did you mean 'num_frames'"),
    ],
)
def test_mistakes(fields, said):
    with pytest.raises(RecipeError) as caught:
        parse_recipe({"kind": "walk", **fields})
    assert said in str(caught.value)
