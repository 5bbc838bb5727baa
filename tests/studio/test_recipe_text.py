import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.errors import RecipeError
from phosphene.studio.recipe import Imagine, Train, Zoom
from phosphene.studio.recipe_text import dump_recipe, load_recipe, parse_recipe, recipe_with
from phosphene.studio.recipes.fields import MAX_SEED

IMAGINE = {"kind": "imagine", "prompt": "x"}

imagines = st.builds(
    Imagine,
    prompt=st.text(min_size=1, max_size=50),
    perceptors=st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=3).map(tuple),
    iterations=st.none() | st.integers(1, 100_000),
    width=st.none() | st.integers(16, 4096),
    seed=st.none() | st.integers(0, MAX_SEED - 64),
    count=st.integers(1, 64),
    init_weight=st.floats(0, 1000),
    learning_rate=st.none() | st.floats(0, 10, exclude_min=True),
    video=st.sampled_from([None, "mp4", "gif"]),
    zoom=st.none() | st.builds(Zoom, scale=st.floats(0.5, 2), every=st.integers(1, 100)),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
trains = st.builds(
    Train,
    learner=st.sampled_from(["vqgan", "perceptor"]),
    steps=st.integers(1, 10**6),
    model=st.dictionaries(st.text(max_size=5), values, max_size=3),
)


def one_line(call, *arguments):
    """The message of a RecipeError, which has to be one line."""
    with pytest.raises(RecipeError) as caught:
        call(*arguments)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 900
    return message


@given(imagines | trains)
def test_recipes_survive_being_written(recipe):
    text = dump_recipe(recipe)
    assert parse_recipe(json.loads(text)) == recipe
    assert dump_recipe(parse_recipe(json.loads(text))) == text


def test_toml_and_json_say_the_same(tmp_path):
    (tmp_path / "a.toml").write_text(
        'kind = "imagine"\nprompt = "fuchs 🦊"\nperceptors = "a, b:0.5"\n[zoom]\nangle = 3\n'
    )
    recipe = load_recipe(tmp_path / "a.toml")
    assert recipe == Imagine(prompt="fuchs 🦊", perceptors=("a", "b:0.5"), zoom=Zoom(angle=3))
    (tmp_path / "a.json").write_text(dump_recipe(recipe))
    assert load_recipe(tmp_path / "a.json") == recipe


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "'kind' is missing"),
        ({"kind": "imagin"}, "did you mean 'imagine'?"),
        ({"kind": 3}, "should be 'imagine', 'animate', 'mix', 'sample'"),
        ({"kind": "imagine"}, "'prompt' is missing"),
        ({**IMAGINE, "iteratons": 3}, "did you mean 'iterations'?"),
        ({**IMAGINE, "width": 0}, "width: 0 should be greater than or equal to 16"),
        ({**IMAGINE, "height": 10**9}, "height: 1000000000 should be less than or equal to 4096"),
        ({**IMAGINE, "optimiser": "adams"}, "'adams' should be 'adam'"),
        ({**IMAGINE, "video": "mp5"}, "did you mean 'mp4'?"),
        ({**IMAGINE, "zoom": {"scal": 2}}, "did you mean 'scale'?"),
        ({**IMAGINE, "zoom": {"scale": 9}}, "zoom.scale: 9 should be less than or equal to 2"),
        ({**IMAGINE, "prompt": "\x1b[2J\n" * 9999}, "prompt: '\\x1b[2J\\n"),
        ({**IMAGINE, "prompt": ""}, "prompt: '' should have at least 1 character"),
        ({**IMAGINE, "seed": MAX_SEED, "count": 3}, "seed: should leave room for 3 pictures"),
        ({**IMAGINE, "learning_rate": float("nan")}, "learning_rate: nan should be a finite"),
        (
            {"kind": "sheet", "vary": "seed=1", "of": {**IMAGINE, "iteratons": 3}},
            "unknown key 'iteratons'; did you mean 'iterations'?",
        ),
        (
            {"kind": "sheet", "vary": "seed=1", "of": {"kind": "sample", "psi": 3}},
            "unknown key 'psi'; keys are: kind, model, count",
        ),
        (
            {"kind": "sheet", "vary": "seed=1", "of": {"kind": "train"}},
            "of.kind: 'train' should be 'sample' or 'imagine'",
        ),
        ({"kind": "train", "learner": "vqgn", "steps": 1}, "did you mean 'vqgan'?"),
        ({"kind": "train", "learner": "vqgan"}, "'steps' is missing"),
    ],
)
def test_a_mistake_is_told_in_one_line(fields, said):
    assert said in one_line(parse_recipe, fields)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.toml", b"kind = ", "is not a recipe: "),
        ("a.json", b"{", "is not a recipe: "),
        ("a.json", b"[1, 2]", "holds no fields"),
        ("a.json", b"[" * 100_000, "is not a recipe"),
        ("a.toml", b"\xff\xfe", "is not text"),
        ("a.toml", b"#" * 4_000_001, "larger than"),
        ("a.toml", b'kind = "imagine"', "'prompt' is missing"),
        ("none.toml", None, "No such file"),
        ("x" * 300 + ".toml", None, "too long"),
    ],
)
def test_a_file_that_is_no_recipe(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert said in one_line(load_recipe, tmp_path / name)


def test_a_folder_is_no_recipe(tmp_path):
    assert "cannot read the recipe" in one_line(load_recipe, tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("width", "256", 256),
        ("learning_rate", "3e-4", 3e-4),
        ("prompt", "123", "123"),
        ("prompt", "true", "true"),
        ("seed", "null", None),
        ("video", "null", None),
        ("perceptors", "a,b:0.5", ("a", "b:0.5")),
        ("perceptors", '["a", "b"]', ("a", "b")),
        ("image_prompts", "", ()),
        ("zoom", '{"angle": 2}', Zoom(angle=2)),
        ("zoom", "null", None),
    ],
)
def test_set_reads_text_as_the_field_wants_it(key, value, expected):
    changed = recipe_with(Imagine(prompt="x"), {key: value})
    assert getattr(changed, key) == expected


def test_set_reaches_inside():
    recipe = recipe_with(Imagine(prompt="x"), {"zoom.angle": "3", "zoom.scale": "1.1"})
    assert recipe.zoom == Zoom(angle=3, scale=1.1)
    train = recipe_with(
        Train(learner="vqgan", steps=1),
        {"settings.learning_rate": "3e-4", "model.codebook": "cosine", "model.mults": "[1, 2]"},
    )
    assert train.settings == {"learning_rate": 3e-4}
    assert train.model == {"codebook": "cosine", "mults": [1, 2]}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("widht", "3", "did you mean 'width'?"),
        ("width", "wide", "width: 'wide' should be a valid integer"),
        ("zom.angle", "3", "did you mean 'zoom'?"),
        ("zoom.angl", "3", "did you mean 'angle'?"),
        ("zoom.angle", "north", "zoom.angle: 'north'"),
        ("perceptors", "", "at least 1"),
        ("a\x1b.b", "3", "unknown key"),
    ],
)
def test_set_tells_a_mistake_in_one_line(key, value, said):
    assert said in one_line(recipe_with, Imagine(prompt="x"), {key: value})
