"""What other programs write into pictures: what maps, and what is kept and said."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.prompting.prompt import parse
from phosphene.studio.foreign import read_foreign_picture

A1111 = """a red fox, (masterpiece:1.2) | in snow
second line
Negative prompt: blurry, low quality
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 123456, Size: 512x768, Model hash: abc, \
Model: dreamy_v8, Lora hashes: "x: 1, y: 2", Version: v1.9.3"""
GRAPH = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 42,
            "steps": 25,
            "cfg": 8.0,
            "sampler_name": "euler",
            "positive": ["6", 0],
            "negative": ["7", 0],
            "model": ["10", 0],
            "latent_image": ["5", 0],
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "v1-5.safetensors"}},
    "10": {"class_type": "LoraLoader", "inputs": {"model": ["4", 0], "lora_name": "x"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": ["9", 0], "height": 256}},
    "9": {"class_type": "PrimitiveInt", "inputs": {"value": 640}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["8", 0], "clip": ["4", 1]}},
    "8": {"class_type": "PrimitiveString", "inputs": {"value": "a castle"}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "ugly", "clip": ["4", 1]}},
}
WORKFLOW = {
    "nodes": [
        {
            "id": 3,
            "type": "KSampler",
            "widgets_values": [42, "randomize", 25, 8, "euler", "normal", 1],
            "inputs": [
                {"name": "positive", "link": 1},
                {"name": "negative", "link": 2},
                {"name": "latent_image", "link": 3},
            ],
        },
        {"id": 6, "type": "CLIPTextEncode", "widgets_values": ["a castle"]},
        {"id": 7, "type": "CLIPTextEncode", "widgets_values": ["ugly"]},
        {"id": 5, "type": "EmptyLatentImage", "widgets_values": [640, 256, 1]},
    ],
    "links": [[1, 6, 0, 3, 1, "C"], [2, 7, 0, 3, 2, "C"], [3, 5, 0, 3, 3, "L"]],
}


def test_automatic1111():
    found = read_foreign_picture({"parameters": A1111, "Software": "x"})
    assert found.program == "AUTOMATIC1111"
    recipe = found.recipe
    assert (recipe.iterations, recipe.seed, recipe.width, recipe.height) == (20, 123456, 512, 768)
    (scene,) = parse(recipe.prompt).scenes
    assert [(p.text, p.weight) for p in scene] == [
        ("a red fox, (masterpiece:1.2) , in snow second line", 1.0),
        ("blurry, low quality", -0.5),
    ]
    assert found.model == "dreamy_v8"
    assert found.unmapped["Sampler"] == "Euler a"
    assert found.unmapped["Lora hashes"] == "x: 1, y: 2"
    assert found.texts == {"parameters": A1111}


@pytest.mark.parametrize(("key", "graph"), [("prompt", GRAPH), ("workflow", WORKFLOW)])
def test_comfy(key, graph):
    found = read_foreign_picture({key: json.dumps(graph)})
    assert found.program == "ComfyUI"
    assert found.recipe.prompt == "a castle | ugly:-0.5"
    recipe = found.recipe
    assert (recipe.iterations, recipe.seed, recipe.width, recipe.height) == (25, 42, 640, 256)
    assert "KSampler" in found.unmapped["nodes"]
    assert found.unmapped["cfg"] == 8


def test_the_checkpoint_is_found_behind_a_lora():
    assert read_foreign_picture({"prompt": json.dumps(GRAPH)}).model == "v1-5.safetensors"


def test_what_is_not_allowed_here_is_kept():
    found = read_foreign_picture({"parameters": "x\nSteps: 20, Seed: -1, Size: 9000x8"})
    assert (found.recipe.seed, found.recipe.width, found.recipe.height) == (None, None, None)
    assert (found.unmapped["seed"], found.unmapped["width"]) == ("-1", "9000")


def test_a_prompt_never_names_a_file():
    found = read_foreign_picture({"parameters": "/etc/secret.png:2\nSteps: 3"})
    (scene,) = parse(found.recipe.prompt).scenes
    assert all(phrase.image is None for phrase in scene)


def test_graphs_that_go_in_circles_or_lead_nowhere():
    circle = {"1": {"class_type": "KSampler", "inputs": {"positive": ["1", 0], "seed": ["9", 0]}}}
    found = read_foreign_picture({"prompt": json.dumps(circle)})
    assert (found.recipe.prompt, found.recipe.seed) == ("...", None)
    assert read_foreign_picture({"prompt": "[" * 100_000}) is None
    assert read_foreign_picture({"prompt": "a fox"}) is None
    assert read_foreign_picture({}) is None


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)
keys = st.sampled_from(["positive", "negative", "seed", "text", "latent_image", "width", "model"])
node = st.fixed_dictionaries(
    {
        "class_type": st.sampled_from(["KSampler", "CLIPTextEncode"]),
        "inputs": st.dictionaries(keys, values | st.lists(st.sampled_from("123"), min_size=1)),
        "type": st.just("KSampler"),
        "inputs2": values,
    }
)


@given(st.dictionaries(st.sampled_from("123"), node, max_size=3), values, values)
@settings(max_examples=30)
def test_any_graph_is_read_or_not_and_nothing_breaks(graph, nodes, links):
    for text in (graph, {"nodes": [nodes, *graph.values()], "links": [links]}):
        read_foreign_picture({"prompt": json.dumps(text), "workflow": json.dumps(text)})


@given(st.text(), st.text())
def test_any_parameters_are_read_and_nothing_breaks(head, tail):
    read_foreign_picture({"parameters": f"{head}\nNegative prompt: {tail}\nSteps: {tail}"})
