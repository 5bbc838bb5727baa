"""The folder for diffusers: diffusers alone paints the same codes from it."""

import json
import os

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel

from phosphene.core.errors import StorageError
from phosphene.core.rng import Rng
from phosphene.families.diffusion.flow import read
from phosphene.families.diffusion.folder import ABOUT, write_folder
from phosphene.families.diffusion.sampling import Sampling, Term, sample
from tests.families.diffusion.toys import flow
from tests.reader import Reader
from tests.sketchbook import SHOWN

SEED = Rng((5,), "/test")


def test_diffusers_paints_the_same_from_it(tmp_path) -> None:
    ours, steps, scale = flow(**SHOWN), 6, 3.0
    for parameter in ours.parameters():  # gentle enough that rounding does not grow
        parameter.mul_(0.3)
    write_folder(ours, tmp_path / "model")
    sketch = Rng((1,)).normal(4, 4, 4)
    told, unsaid = (read(Reader(), [text], 4)._replace(sketch=sketch) for text in ("a fox", ""))
    sampling = Sampling(steps=steps, guidance_scale=scale)
    *_, moment = sample(ours, [Term(told)], unsaid, SEED, sampling)

    network = SD3Transformer2DModel.from_pretrained(tmp_path / "model" / "transformer")
    scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(tmp_path / "model" / "scheduler")
    scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps))
    x = SEED.fork("noise").normal(4, 4, 4)
    for time in scheduler.timesteps:
        towards, away = (
            network(
                torch.cat([x, sketch], dim=1),
                encoder_hidden_states=words.states,
                pooled_projections=words.sentence,
                timestep=time[None],
            ).sample
            for words in (told, unsaid)
        )
        x = scheduler.step(away + scale * (towards - away), time, x).prev_sample
    torch.testing.assert_close(x, moment.clean, atol=1e-4, rtol=1e-4)


def test_it_says_what_the_codes_are(tmp_path) -> None:
    ours = flow(**SHOWN)
    ours.mean.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]))
    write_folder(ours, tmp_path / "new" / "model")
    about = json.loads((tmp_path / "new" / "model" / ABOUT).read_text())
    assert about["mean"] == [1.0, 2.0, 3.0, 4.0]
    assert (about["autoencoder"], about["sketches"]) == ("tiny-vqgan", "tiny-book")
    assert os.listdir(tmp_path / "new") == ["model"]


def test_what_is_there_stays(tmp_path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(StorageError, match="is there already"):
        write_folder(flow(), tmp_path / "model")
    assert os.listdir(tmp_path) == ["model"]
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        write_folder(flow(), tmp_path / "file" / "model")
