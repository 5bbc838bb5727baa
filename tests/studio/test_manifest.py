"""Manifests as plain data; pictures with manifests are in test_artifact.py."""

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from phosphene.studio.manifest import Manifest, Platform, Surroundings

PLATFORM = {
    "torch": "2.13.0",
    "threads": 1,
    "machine": "x86_64",
    "isa": "AVX512",
    "device": "cpu",
    "dtype": "float32",
}
PLAIN = {
    "models": {"m": "aa"},
    "inputs": {"x.png": "cc"},
    "platform": PLATFORM,
    "phosphene": "0.1.0",
    "recipe": {"kind": "imagine", "prompt": "fox", "cut_noise": 0.2},
    "seed": 7,
    "index": 0,
    "iterations": 3,
    "pixel_sha256": "dd",
}
PROGRAM = """
import sys
from phosphene.studio.manifest import Manifest
print(Manifest.model_validate_json(sys.argv[1]).seed, "torch" in sys.modules)
"""


def test_a_manifest_is_read_without_torch():
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(PLAIN)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == "7 False\n"


def test_fields_that_are_younger_than_a_picture_did_nothing():
    recipe = Manifest.model_validate(PLAIN).recipe
    assert (recipe.repaint_every, recipe.start_noise) == (0, 0.2)


def test_perceptors_looked_at_every_step_when_nothing_said_how_often():
    guided = {**PLAIN["recipe"], "method": "guided-diffusion"}
    assert Manifest.model_validate({**PLAIN, "recipe": guided}).recipe.look_every == 1
    of_animation = {"kind": "animate", "of": guided}
    assert Manifest.model_validate({**PLAIN, "recipe": of_animation}).recipe.of.look_every == 1
    said = {**guided, "look_every": 3}
    assert Manifest.model_validate({**PLAIN, "recipe": said}).recipe.look_every == 3
    assert Manifest.model_validate(PLAIN).recipe.look_every is None


def test_what_is_no_manifest_is_refused():
    with pytest.raises(ValidationError, match="iterations"):
        Manifest.model_validate({**PLAIN, "iterations": -1})


def test_changes_are_said():
    then = Surroundings(models={"m": "aa"}, inputs={}, platform=Platform(**PLATFORM))
    now = Surroundings(
        models={"m": "bb"}, inputs={"x": "cc"}, platform=Platform(**{**PLATFORM, "threads": 2})
    )
    assert list(then.changed_files(now)) == [
        "model 'm' has changed: sha256 aa then, bb now",
        "picture 'x' was not used then",
    ]
    assert list(then.changed_platform(now)) == ["threads: made with 1, here 2"]
