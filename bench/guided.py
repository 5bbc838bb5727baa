"""A picture by guided diffusion: the plain loop that notebooks have, and ours.

The embedded models at the default settings of `imagine --method guided-diffusion`: 128 px, guidance
by words, 30 steps, 8 cutouts. "plain" is written from the description of CLIP-guided diffusion
(Crowson 2021, later Disco Diffusion): fp32, cutouts one by one, the gradient taken at the noised
codes, through decoder and diffusers' transformer, at every step. "frugal" is that loop with our
gradient, which stops at the expected picture. "watchful" is ours with a look at every step: what is
left between it and frugal is precision, packing, cutouts and streams; between it and ours, the
looks that are saved.
Run: `python bench/guided.py [--runs 5]`; docs/bench.md holds its figures.
"""

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F
from contenders import Contender, in_turn
from peak import gemm_peak, machine, report
from torch import Tensor

from phosphene.core.protocols import Commission
from phosphene.core.rng import Rng
from phosphene.studio.guiding import sampling_of
from phosphene.studio.recipe import Imagine
from phosphene.studio.stage import set_stage
from phosphene.zoo import Zoo
from phosphene.zoo.registry import home

PROMPT = "a fox in the snow | watercolour"
CUTOUTS, SMALLEST, NOISE = 8, 0.4, 0.1
STEPS, PUSH, SIGMA, NEXT = 30, 0.15, 0.9, 0.87


def plain_picture(through_denoiser: bool) -> Callable[[], object]:
    """The notebooks' loop, in fp32; all of its steps cost the same."""
    zoo = Zoo(home())
    model, perceptor = (
        zoo.load(name, dtype=torch.float32).requires_grad_(False).eval()
        for name in ("emoji-diffusion", "emoji-clip")
    )
    model.flow.packed = None
    commission = Commission(
        spans=((PROMPT, 1.0),), height=128, width=128, guidance_scale=3.0, sampler="euler"
    )
    told = model.told(commission)
    words, unsaid = told.terms[0].words, told.unsaid
    target = perceptor.encode_text([PROMPT])
    noised = Rng((0,)).normal(*told.shape)

    def denoised(x: Tensor) -> Tensor:
        sigma = torch.full((1,), SIGMA)
        said, away = (model.flow(x, sigma, each) for each in (words, unsaid))
        x0: Tensor = x - SIGMA * (away + told.scale * (said - away))
        return x0

    def look(x0: Tensor) -> Tensor:
        image, views = model.paint(x0), []
        side = image.shape[-1]
        for _ in range(CUTOUTS):
            size = int(side * (SMALLEST + (1 - SMALLEST) * float(torch.rand(()))))
            top, left = (int(torch.randint(0, side - size + 1, ())) for _ in range(2))
            cut = image[:, :, top : top + size, left : left + size]
            cut = F.interpolate(
                cut, (perceptor.input_size,) * 2, mode="bilinear", align_corners=False
            )
            views.append(cut + NOISE * torch.randn_like(cut))
        seen = perceptor.encode_image(torch.cat(views))
        loss: Tensor = (seen - target).norm(dim=1).div(2).arcsin().pow(2).mul(2).mean()
        return loss

    def step() -> None:
        leaf = noised.clone().requires_grad_()
        if through_denoiser:
            x0 = denoised(leaf)
            torch.autograd.backward(look(x0))
            gradient = leaf.grad
        else:
            with torch.no_grad():
                x0 = denoised(leaf)
            torch.autograd.backward(look(x0.requires_grad_()))
            gradient = x0.grad
        assert gradient is not None
        pushed = x0.detach() - PUSH * SIGMA * gradient / gradient.square().mean().sqrt()
        noised + (NEXT - SIGMA) / SIGMA * (noised - pushed)

    def iterate() -> None:
        for _ in range(STEPS):
            step()

    return iterate


def our_picture(look_every: int | None) -> Callable[[], object]:
    """All steps of the recipe, as `phosphene imagine` makes them."""
    asked = {"prompt": PROMPT, "method": "guided-diffusion", "seed": 0, "look_every": look_every}
    stage = set_stage(Imagine.model_validate(asked), Zoo(home()), "cpu").of_picture(0)

    def iterate() -> None:
        sampling = sampling_of(stage, Rng((0,), "/imagine"))
        assert sampling.total == STEPS
        while sampling.index < sampling.total:
            sampling.step()

    return iterate


def contender(name: str) -> Callable[[], object]:
    """Build a picture's making: "plain", "frugal", "watchful" or "phosphene"."""
    torch.manual_seed(0)
    match name:
        case "plain" | "frugal":
            return plain_picture(name == "plain")
        case _:
            return our_picture(1 if name == "watchful" else None)


def measure(runs: int) -> dict[str, object]:
    """Run all in turn."""
    gemm = gemm_peak(torch.bfloat16)
    contenders = [
        Contender("guided", "plain", prepared=False),
        Contender("guided", "frugal", prepared=False),
        Contender("guided", "watchful", prepared=True),
        Contender("guided", "phosphene", prepared=True),
    ]
    plain, frugal, watchful, ours = in_turn(contenders, runs)
    work = [each.gflop for each in contenders]
    for each in contenders:
        each.close()
    gemm = max(gemm, gemm_peak(torch.bfloat16))
    return {
        "bench": "guided", **machine(),
        "plain_seconds": plain,
        "frugal_seconds": frugal,
        "watchful_seconds": watchful,
        "phosphene_seconds": ours,
        "ratio": plain / ours,
        "ratio_to_frugal": frugal / ours,
        "plain_gflop": work[0],
        "phosphene_gflop": work[3],
        "bf16_gemm_peak": gemm,
        "share_of_peak": work[3] / ours / gemm,
    }  # fmt: skip


def main() -> None:
    """Measure and print one JSON line."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=5, help="counted pictures of each")
    report(**measure(arguments.parse_args().runs))


if __name__ == "__main__":
    main()
