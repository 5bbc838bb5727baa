"""Samplers by name, and what a step expects of the picture."""

import diffusers
import pytest
import torch

from phosphene.core.errors import Unsupported
from phosphene.families.diffusion import schedulers
from phosphene.families.diffusion.components import quiet
from phosphene.families.diffusion.schedulers import (
    FLOW_SAMPLERS,
    SAMPLERS,
    Expectation,
    expected,
    made,
    own_sampler,
    scheduler_class,
    table_of,
)


@pytest.fixture(autouse=True)
def _quiet():
    """diffusers asks numpy in a way that numpy warns of."""
    with quiet():
        yield


BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
PREDICTIONS = ("epsilon", "v_prediction")
SHAPE = (1, 4, 8, 8)


def own(prediction: str = "epsilon", **more):
    return diffusers.DDIMScheduler(**BETAS, clip_sample=False, prediction_type=prediction, **more)


def test_every_class_of_the_tables_exists():
    for name in schedulers.KNOWN:
        assert scheduler_class(name).__name__ == name
    with pytest.raises(Unsupported, match=r"'os.system' is not one"):
        scheduler_class("os.system")


def test_lms_needs_scipy(monkeypatch):
    monkeypatch.setattr(schedulers.importlib.util, "find_spec", lambda name: None)
    assert "lms" not in table_of(own())
    monkeypatch.setattr(schedulers.importlib.util, "find_spec", lambda name: object())
    assert set(table_of(own())) == set(SAMPLERS)


def test_the_model_s_own_sampler_keeps_all_its_settings():
    first = own(timestep_spacing="trailing")
    assert own_sampler(first) == "ddim"
    same = made("ddim", first)
    assert same is not first
    assert dict(same.config) == dict(first.config)
    karras = diffusers.DPMSolverMultistepScheduler(**BETAS, use_karras_sigmas=True)
    assert own_sampler(karras) == "dpm++-karras"
    odd = diffusers.DPMSolverMultistepScheduler(**BETAS, solver_order=3)
    assert own_sampler(odd) == "dpm++"
    assert made("dpm++", odd).config.solver_order == 3
    assert made("dpm++-sde", odd).config.algorithm_type == "sde-dpmsolver++"


def test_other_samplers_keep_what_the_model_was_trained_on():
    for name, (kind, _) in SAMPLERS.items():
        if name != "lms":
            scheduler = made(name, own("v_prediction"))
            assert type(scheduler).__name__ == kind
            assert scheduler.config.prediction_type == "v_prediction"
            assert scheduler.config.beta_end == BETAS["beta_end"]
    flow = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    assert tuple(table_of(flow)) == tuple(FLOW_SAMPLERS)
    assert made("dpm++", flow).config.flow_shift == 3.0
    assert made("heun", flow).config.shift == 3.0


def test_a_scheduler_in_no_list():
    with pytest.raises(Unsupported, match="'EDMEulerScheduler' cannot be used"):
        own_sampler(diffusers.EDMEulerScheduler())


@pytest.mark.parametrize(
    ("sampler", "prediction"),
    [
        *(
            (s, p)
            for s in ("euler", "euler-a", "ddim", "ddpm")
            for p in ("epsilon", "v_prediction")
        ),
        *((s, "sample") for s in ("euler", "ddim", "ddpm")),
    ],
)
def test_the_expectation_is_what_diffusers_expects(sampler, prediction):
    scheduler = made(sampler, own(prediction))
    scheduler.set_timesteps(5)
    expectation = Expectation(scheduler)
    assert expectation.latents is None
    sample = torch.randn(SHAPE) * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps:
        scheduler.scale_model_input(sample, timestep)
        said = scheduler.step(torch.randn(SHAPE), timestep, sample)
        torch.testing.assert_close(
            expectation.latents, said.pred_original_sample, rtol=1e-4, atol=1e-3
        )
        sample = said.prev_sample


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("sampler", [s for s in SAMPLERS if s not in ("lms", "dpm2", "dpm2-a")])
def test_a_perfect_network_is_seen_through_at_once(sampler, prediction):
    """Where the network knows the noise, each step expects the true picture."""
    scheduler = made(sampler, own(prediction))
    scheduler.set_timesteps(6)
    clean, noise = torch.randn(SHAPE), torch.randn(SHAPE)
    for timestep in scheduler.timesteps[:1]:
        kept = scheduler.alphas_cumprod[int(timestep)]
        if type(scheduler).__name__ in schedulers.EXPLODING:
            sigma = float(scheduler.sigmas[0])
            alpha, spread = (1 + sigma**2) ** -0.5, sigma * (1 + sigma**2) ** -0.5
            sample = clean + sigma * noise
        else:
            alpha, spread = kept**0.5, (1 - kept) ** 0.5
            sample = alpha * clean + spread * noise
        said = noise if prediction == "epsilon" else alpha * noise - spread * clean
        found = expected(scheduler, said, timestep, sample)
        torch.testing.assert_close(found, clean, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("sampler", FLOW_SAMPLERS)
def test_flows_are_seen_through_at_every_step(sampler):
    scheduler = made(sampler, diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0))
    scheduler.set_timesteps(4)
    clean, noise = torch.randn(SHAPE), torch.randn(SHAPE)
    start = float(scheduler.sigmas[0])  # not quite 1 for all
    expectation, sample = Expectation(scheduler), start * noise + (1 - start) * clean
    for timestep in scheduler.timesteps:
        sample = scheduler.step(noise - clean, timestep, sample, return_dict=False)[0]
        torch.testing.assert_close(expectation.latents, clean, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(sample, clean, rtol=1e-3, atol=1e-3)
