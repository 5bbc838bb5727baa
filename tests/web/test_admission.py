"""The promise that no path from the network reaches the file system."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.errors import RecipeError
from phosphene.prompting.alternatives import combinations
from phosphene.prompting.prompt import parse
from phosphene.studio.recipe import HOMES, KINDS, Train
from phosphene.studio.recipe_text import parse_recipe
from phosphene.studio.references import with_files
from phosphene.web.admission import RULES, TRAINING, admit_recipe, is_closed

ID = "a" * 64
REF = f"artifact:{ID}"
MODELS = ["emoji-vqgan", "emoji-clip", "faces-dcgan", "efficientnet-lite0", "digits-cgan"]
FILES = [
    "/etc/passwd",
    "photo.png",
    "../x.png",
    "C:\\x.png",
    "file:///x.png",
    f"/etc/{REF}",
    f"{REF}/../x.png",
    f"{REF}x",
    REF.upper(),
    f"{REF}.png",
    f"artifact:{ID[:-1]}",
]
PAINT = {"kind": "imagine", "prompt": "fox"}


def refused(fields) -> str:
    with pytest.raises(RecipeError) as error:
        admit_recipe(parse_recipe(fields), MODELS)
    return str(error.value)


def admitted(fields) -> None:
    admit_recipe(parse_recipe(fields), MODELS)


def test_every_field_that_holds_text_has_a_rule_or_is_refused():
    for kind in HOMES.keys() - {Train}:
        open_fields = {n for n, f in kind.model_fields.items() if not is_closed(f.annotation)}
        assert RULES[kind].keys() <= open_fields, kind
        # what has none cannot be given: a field that is added is refused until it is thought about
        assert open_fields - RULES[kind].keys() <= {"tree"}, kind
    assert Train not in RULES


def test_what_is_closed():
    assert is_closed(int | None)
    assert is_closed(KINDS["imagine"].model_fields["zoom"].annotation)
    assert is_closed(KINDS["walk"].model_fields["times"].annotation)
    assert not is_closed(str)
    assert not is_closed(tuple[str, ...])
    assert not is_closed(dict[str, object])


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize(
    "fields",
    [
        lambda x: {**PAINT, "init_image": x},
        lambda x: {**PAINT, "mask": x},
        lambda x: {**PAINT, "image_prompts": [x]},
        lambda x: {**PAINT, "image_prompts": [f"{x}:0.5"]},
        lambda x: {**PAINT, "model": x},
        lambda x: {**PAINT, "perceptors": [x]},
        lambda x: {"kind": "sample", "model": x},
        lambda x: {"kind": "mix", "model": x},
        lambda x: {"kind": "walk", "model": x},
        lambda x: {"kind": "walk", "features": x},
        lambda x: {"kind": "breed", "parents": ["1", x]},
        lambda x: {"kind": "breed", "parents": ["1", "2"], "tree": x},
        lambda x: {"kind": "breed", "parents": ["1", "2"], "liked": [x]},
        lambda x: {"kind": "breed", "parents": ["1", "2"], "shown": [x]},
        lambda x: {"kind": "edit", "source": x, "directions": ["pc0:1"]},
        lambda x: {
            "kind": "edit",
            "layout": "sheet",
            "attributes": {"a": {"having": [x], "lacking": ["1"]}},
        },
        lambda x: {"kind": "invert", "photo": x},
        lambda x: {"kind": "invert", "photo": REF, "features": x},
        lambda x: {"kind": "sheet", "of": {**PAINT, "init_image": x}, "vary": ["seed=1,2"]},
        lambda x: {"kind": "sheet", "of": PAINT, "vary": [{"field": "init_image", "values": [x]}]},
        lambda x: {"kind": "sheet", "of": PAINT, "vary": [{"field": "model", "values": [x]}]},
        lambda x: {"kind": "incantation", "words": "a", "prompts": ["a", "b"], "of": {"model": x}},
        lambda x: {"kind": "incantation", "words": "a", "prompts": ["a", "b"], "judge": x},
        lambda x: {"kind": "animate", "of": {**PAINT, "init_image": x}},
        lambda x: {"kind": "animate", "of": {**PAINT, "model": x}},
    ],
)
def test_no_field_takes_a_file(fields, path):
    said = refused(fields(path))
    assert "\n" not in said


@pytest.mark.parametrize(
    "fields",
    [
        {**PAINT, "prompt": "sea | photo.png"},
        {**PAINT, "prompt": "sea ^ /etc/x.JPG:0.5"},
        {**PAINT, "prompt": f"/etc/{REF}"},
        {**PAINT, "prompt": "sea | {/etc/x|y}.png"},
        {**PAINT, "prompt": "sea | /etc/x.p{n|}{g|}"},
        {**PAINT, "prompt": "{a|b}" * 12 + " | /etc/x.p{n|}g"},
        {"kind": "walk", "path": "z = 7 ~ /etc/x.png"},
        {"kind": "walk", "path": f"z = /etc/{REF} ~ 7"},
        {"kind": "walk", "path": {"tracks": {"z": ["x.png"]}}},
        {"kind": "sheet", "of": PAINT, "vary": [{"field": "prompt", "values": ["a", "x.png"]}]},
        {"kind": "sheet", "of": PAINT, "vary": [{"field": "style", "values": ["/etc/x.png"]}]},
        {"kind": "incantation", "words": "a", "prompts": ["a", "/etc/x.png"]},
        {"kind": "animate", "of": PAINT, "prompts": {"3": "sea | /etc/x.png"}},
        {"kind": "animate", "of": {"prompt": "x.png"}},
        {"kind": "train", "learner": "gan", "steps": 1, "data": "/etc", "output": "/x"},
    ],
)
def test_no_text_hides_a_file(fields):
    refused(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {**PAINT, "prompt": f"sea: calm | {REF}:0.5 ^ 10:30 | a.b.c", "init_image": REF},
        {**PAINT, "prompt": "a {red|blue} heart, v1.5 / neon", "perceptors": ["emoji-clip:2"]},
        {**PAINT, "image_prompts": [REF, f"{REF}:0.5"], "zoom": {"scale": 1.1}},
        {"kind": "sample", "model": "digits-cgan", "classes": ["3:0.5+5:0.5"], "seeds": "1-3"},
        {"kind": "breed", "model": "faces-dcgan", "parents": ["11", f"{REF}:3"]},
        {"kind": "edit", "source": REF, "directions": ["pc0:2"]},
        {"kind": "edit", "seed": 1, "layout": "sheet", "attributes": {"a": f"1-3,{REF}/2"}},
        {"kind": "invert", "photo": REF},
        {"kind": "walk", "path": f"z = {REF} ~ 7 ~ 8 : curve; loop"},
        {"kind": "walk"},
        {"kind": "sheet", "of": PAINT, "vary": ["style=flat,neon", "seed=1-3"]},
        {"kind": "incantation", "words": "neon", "prompts": ["a", "b"]},
        {"kind": "animate", "of": PAINT, "prompts": {"3": f"owl | {REF}"}, "zoom": "0:1, 9:1.1"},
    ],
)
def test_what_is_allowed(fields):
    admitted(fields)


LEARN = {
    "kind": "train",
    "learner": "gan",
    "steps": 9,
    "data": "folder:cats",
    "model": {"arch": "dcgan", "d_norm": "spectral", "channel_mults": [1, 2]},
    "settings": {"policy": "color,cutout", "g_rate": 2e-4, "discriminator": "projected"},
}
FOLDERS = ["cats", "old owls"]


def test_every_field_of_a_training_that_holds_text_has_a_rule_or_is_refused():
    open_fields = {n for n, f in Train.model_fields.items() if not is_closed(f.annotation)}
    assert open_fields - TRAINING.keys() == {"output"}
    assert TRAINING.keys() <= open_fields


def test_nobody_trains_unless_whoever_serves_has_allowed_it():
    assert "--data-dir" in refused(LEARN)
    with pytest.raises(RecipeError, match="is no `folder:NAME`"):
        admit_recipe(parse_recipe(LEARN), MODELS, [])
    for data in ("folder:cats", "folder:old owls"):
        admit_recipe(parse_recipe({**LEARN, "data": data}), MODELS, FOLDERS)
    other = {"learner": "perceptor", "painter": "emoji-vqgan", "text": "emoji-clip", "name": "a.b"}
    admit_recipe(parse_recipe({**LEARN, **other}), MODELS, FOLDERS)


@pytest.mark.parametrize(
    "path", [*FILES, "..", "cats", "/data/cats", "folder:cats", "a.safetensors"]
)
@pytest.mark.parametrize(
    "fields",
    [
        lambda x: {"data": f"folder:{x}"},
        lambda x: {"data": None if x == "folder:cats" else x},
        lambda x: {"data": f"folder:cats/{x}"},
        lambda x: {"output": x},
        lambda x: {"features": x},
        lambda x: {"text": x},
        lambda x: {"painter": x},
        lambda x: {"model": {"arch": "latent", "text": x}},
        lambda x: {"model": {"autoencoder": x}},
        lambda x: {"settings": {"deep": [{"text": x}]}},
    ],
)
def test_no_field_of_a_training_takes_a_path(fields, path):
    recipe = parse_recipe({**LEARN, **fields(path)})
    if recipe.data == "folder:cats" and fields(path).keys() == {"data"}:
        return  # the one that is offered
    with pytest.raises(RecipeError) as error:
        admit_recipe(recipe, MODELS, FOLDERS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("path", [path for path in FILES if path != ID])
def test_no_setting_of_a_training_reads_as_a_path(path):
    for fields in ({"model": {"arch": path}}, {"settings": {path: 1}}, {"settings": {"a": [path]}}):
        with pytest.raises(RecipeError, match="no word"):
            admit_recipe(parse_recipe({**LEARN, **fields}), MODELS, FOLDERS)


pieces = st.sampled_from(
    [
        "{",
        "}",
        "|",
        "^",
        ":",
        "\\",
        ".",
        "png",
        ".png",
        "/",
        "/x",
        "jpg",
        " ",
        "1",
        REF,
        "(",
        ")",
        "a",
    ]
)


@given(st.lists(pieces, min_size=1, max_size=14).map("".join))
def test_whatever_is_admitted_reads_no_other_picture(prompt):
    try:
        recipe = parse_recipe({**PAINT, "prompt": prompt})
        admit_recipe(recipe, MODELS)
    except RecipeError:
        return
    for text in combinations(with_files(recipe).prompt):
        try:
            scenes = parse(text).scenes
        except RecipeError:
            continue
        for scene in scenes:
            for phrase in scene:
                assert phrase.image in (None, f"{ID}.png")
