"""The process that paints at once: the same bytes as a recipe's, and another one when it dies."""

import json
import os
import time

import pytest

from phosphene.core.errors import DeviceError, RecipeError
from phosphene.studio.craft import Painted
from phosphene.studio.live import PAINTED, Live
from phosphene.studio.recipe import Sample, Walk
from phosphene.studio.run import run
from phosphene.zoo import Zoo


def echo(line, home, device):
    """Answers with what it was asked; seed 1 kills it, seed 2 takes too long."""
    while True:
        asked = json.loads(line.recv_bytes())
        if asked["seed"] == 1:
            os._exit(1)
        if asked["seed"] == 2:
            time.sleep(60)
        line.send_bytes(PAINTED + f"{os.getpid()} {asked['seed']}".encode())


@pytest.fixture
def live(tmp_path):
    made = Live(tmp_path, target=echo)
    yield made
    made.stop()


@pytest.mark.slow
def test_what_dies_is_replaced_and_what_is_slow_is_ended(live):
    first = live.ask(Sample(seed=7)).split()
    assert first[1] == b"7"
    with pytest.raises(DeviceError, match="died"):
        live.ask(Sample(seed=1))
    second = live.ask(Sample(seed=8)).split()
    assert second[0] != first[0]
    with pytest.raises(DeviceError, match="too long"):
        live.ask(Sample(seed=2), seconds=0.2)
    assert live.ask(Sample(seed=7)).split() == first  # kept
    live.stop()
    live.stop()


def test_one_picture_of_one_seed(live):
    for recipe in (Sample(), Sample(seed=1, count=2)):
        with pytest.raises(RecipeError, match="one picture at once"):
            live.ask(recipe)


@pytest.mark.slow
def test_no_films(live):
    place = {"path": "z = 7", "seed": 7, "num_frames": 1, "times": (0.0,)}
    assert live.ask(Walk(**place)).split()[1] == b"7"
    for change, said in (
        ({"num_frames": 2, "times": (0.0, 1.0)}, "films are jobs"),
        ({"times": None}, "films are jobs"),
        ({"video": "mp4"}, "films are jobs"),
        ({"path": None}, "say where"),
        ({"seed": None}, "one picture at once"),
    ):
        with pytest.raises(RecipeError, match=said):
            live.ask(Walk(**{**place, **change}))


@pytest.mark.slow
@pytest.mark.parametrize(
    "recipe",
    [
        Sample(model="digits-cgan", seed=7),
        Walk(
            model="digits-cgan",
            path="z = 0.6*7 + 0.8*8; class = 3",
            seed=7,
            num_frames=1,
            times=(0.0,),
        ),
    ],
)
def test_it_paints_what_the_recipe_paints(recipe, tmp_path):
    live = Live(tmp_path)
    try:
        png = live.ask(recipe)
        with pytest.raises(RecipeError, match="truncation_psi"):
            live.ask(recipe.model_copy(update={"truncation_psi": 0.5}))
    finally:
        live.stop()
    (step,) = [s for s in run(recipe, Zoo(tmp_path)) if isinstance(s, Painted)]
    assert step.artifact is not None
    # another number of threads may be written into it; the pixels are the same
    assert step.artifact.manifest.pixel_sha256.encode() in _texts(png)


def _texts(png):
    import io

    from PIL import Image

    return "".join(str(v) for v in Image.open(io.BytesIO(png)).info.values()).encode()
