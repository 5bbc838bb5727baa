"""How a latent diffusion model learns: the velocity of straight paths from pictures to noise.

Loss (Liu et al. 2022, "Flow Straight and Fast"; times as Esser et al. 2024, section 3.1):

    | v(x_sigma, sigma, words) - (e - x0) |^2,   sigma = sigmoid(u), u ~ N(m, s^2)

A share of the captions is left empty, for guidance (Ho & Salimans 2022), and of the sketches, so
that it paints without them, too. A sketch is the plain drawing of its picture. Pictures are encoded
once, by `encode`; the batches hold codes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from phosphene.core.images import Images, from_uint8
from phosphene.core.protocols import Autoencoder
from phosphene.core.rng import Rng
from phosphene.core.team import ALONE, Team
from phosphene.families.diffusion.flow import (
    Flow,
    LatentDiffusionConfig,
    Reader,
    Words,
    read,
)
from phosphene.families.diffusion.sampling import Sampling, Term, sample
from phosphene.nn.averaging import follow
from phosphene.nn.schedules import trapezoid_rate

RGB = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentDiffusionTraining:
    """Settings of the training.

    Args:
        learning_rate: Peak; it is held, and falls to nothing at the end.
        decay_start: Fraction of the run after which rates fall.
        noise_mean, noise_deviation: Of u, the logit of sigma. Words say most where noise is most.
        unsaid_prob: Share of captions that are left empty.
        unshown_prob: Share of examples without sketch, of a network that paints after some.
        ema: Decay of the averaged weights that are shipped.
        num_examples: Pictures that are encoded, once, and learnt from again and again; fewer where
            the data has fewer.
    """

    learning_rate: float = 1e-3
    warmup_steps: int = 100
    decay_start: float = 0.6
    noise_mean: float = 1.2
    noise_deviation: float = 1.2
    unsaid_prob: float = 0.1
    unshown_prob: float = 0.1
    ema: float = 0.999
    num_examples: int = 60_000


class LatentDiffusionLearner:
    """A `Learner` of a `Flow` from batches of codes and captions."""

    sheet_columns = 16

    def __init__(
        self,
        config: LatentDiffusionConfig,
        settings: LatentDiffusionTraining,
        autoencoder: Autoencoder,
        text: Reader,
        rng: Rng,
        team: Team = ALONE,
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.fork("weights").integers(1, high=2**62)))
            self.flow = Flow(config)
        _quieten(self.flow)
        self.average = Flow(config).requires_grad_(False)
        self.average.load_state_dict(self.flow.state_dict())
        self.settings, self.team = settings, team
        self.autoencoder, self.text = autoencoder, text
        self.rate_scale = 1.0
        self.optimizer = torch.optim.AdamW(
            self.flow.parameters(), lr=0.0, betas=(0.9, 0.99), weight_decay=0.0, fused=True
        )

    @torch.no_grad()
    def encode(self, images: UInt8[Tensor, "b c h w"]) -> Float[Tensor, "b d rows columns"]:
        """Pictures, and below them their drawings, to what is learnt from, in half precision."""
        parts = parts_of(from_uint8(images), RGB)
        return torch.cat([self.autoencoder.encode(part).data for part in parts], dim=1).half()

    def step(self, batch: Mapping[str, Any], index: int, total: int, rng: Rng) -> dict[str, float]:
        """Learn from `batch["codes"]` and `batch["captions"]`; returns the loss."""
        s, rng = self.settings, rng.part_of(self.team)
        codes, *drawn = parts_of(batch["codes"], self.flow.config.latent_channels)
        if index == 0:
            self._measure(codes)
        x0 = self.flow.normalised(codes)
        noise = rng.fork("noise").normal(*x0.shape)[0]
        sigma = self._sigmas(len(x0), rng.fork("sigma"))
        words = self._told(batch["captions"], self.flow.normalised(drawn[0]) if drawn else x0, rng)
        x = x0 + sigma.view(-1, 1, 1, 1) * (noise - x0)
        with torch.autocast("cpu", torch.bfloat16):
            velocity = self.flow(x, sigma, words)
        loss = (velocity - (noise - x0)).square().mean()
        rate = trapezoid_rate(s.learning_rate, index, total, s.warmup_steps, s.decay_start)
        norm = self._move(loss, rate * self.rate_scale)
        follow(self.average, self.flow, s.ema, index)
        (shared,) = self.team.means([float(loss.detach())])
        return {"loss": shared, "grad_norm": norm, "rate": rate * self.rate_scale}

    def _told(self, captions: Sequence[str], sketch: Tensor, rng: Rng) -> Words:
        """What is said of each example, its caption or nothing, and shown, its sketch or none."""
        s = self.settings
        unsaid = rng.fork("unsaid").uniform(len(sketch))[0] < s.unsaid_prob
        words = read(self.text, captions, self.flow.config.text_length)
        blank = read(self.text, [""], words.states.shape[1])
        states = torch.where(unsaid[:, None, None], blank.states, words.states)
        sentence = torch.where(unsaid[:, None], blank.sentence, words.sentence)
        if not self.flow.config.sketches:
            return Words(states, sentence)
        unshown = rng.fork("unshown").uniform(len(sketch))[0] < s.unshown_prob
        return Words(states, sentence, sketch * ~unshown.view(-1, 1, 1, 1))

    def _sigmas(self, count: int, rng: Rng) -> Float[Tensor, " b"]:
        """Logit-normal noise, one from each of equal shares of its range.

        Batches that all have some of every noise differ less in their gradients (Kingma et al.
        2021, "Variational Diffusion Models", appendix I.1).
        """
        total = count * self.team.size
        whole = Rng(rng.seeds, rng.purpose)
        order = whole.fork("order").uniform(total)[0].argsort()
        share = (order + whole.uniform(total)[0]) / total
        normal: Tensor = torch.special.ndtri(share.double()).float()
        s = self.settings
        return self.team.rows((s.noise_mean + s.noise_deviation * normal).sigmoid())

    def _move(self, loss: Tensor, rate: float) -> float:
        """Make an optimiser step down a loss; returns the gradient's norm before it is clipped."""
        self.optimizer.zero_grad(set_to_none=True)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        torch.autograd.backward(loss)
        self.team.average_gradients(self.flow.parameters())
        norm = nn.utils.clip_grad_norm_(self.flow.parameters(), 1.0)
        self.optimizer.step()
        return float(norm)

    @torch.no_grad()
    def _measure(self, codes: Tensor) -> None:
        """Take the scale of the codes from the first batch of all processes."""
        codes = self.team.gather(codes.float())
        for flow in (self.flow, self.average):
            flow.mean.copy_(codes.mean(dim=(0, 2, 3)))
            flow.std.copy_(codes.std(dim=(0, 2, 3)).clamp_min(1e-4))

    def temper(self, factor: float) -> None:
        """Lower the rates from now on."""
        self.rate_scale *= factor

    @torch.no_grad()
    def preview(self, batch: Mapping[str, Any], rng: Rng) -> Images:
        """Pictures, and what the averaged weights paint of their captions, by fixed seeds."""
        images, *drawn = parts_of(from_uint8(batch["images"]), RGB)
        length, captions = self.flow.config.text_length, batch["captions"]
        words, unsaid = read(self.text, captions, length), read(self.text, [""], length)
        seeds = Rng(tuple(range(len(images))), "/preview")
        shown = self.average.normalised(self.autoencoder.encode(drawn[0]).data) if drawn else None
        states, sentence = (part.expand(len(images), *part.shape[1:]) for part in unsaid[:2])
        words, unsaid = words._replace(sketch=shown), Words(states, sentence, shown)
        with torch.autocast("cpu", torch.bfloat16):
            *_, last = sample(self.average, [Term(words)], unsaid, seeds, Sampling())
        painted = self.autoencoder.decode(self.average.codes(last.clean)).clamp(-1, 1)
        return torch.cat([images, painted])

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "flow": self.flow.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rate_scale": self.rate_scale,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`."""
        self.flow.load_state_dict(state["flow"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rate_scale = float(state["rate_scale"])

    def export(self) -> tuple[nn.Module, dict[str, Any]]:
        """The averaged network and its config."""
        return self.average, self.flow.config.to_dict()


def parts_of(stack: Tensor, channels: int) -> tuple[Tensor, ...]:
    """A picture, and its drawing if there is one below it."""
    return stack.chunk(stack.shape[1] // channels, dim=1)


@torch.no_grad()
def _quieten(flow: Flow) -> None:
    """Let every block begin as the identity, and the network at zero (Peebles & Xie 2023).

    So the first steps are not spent on undoing random blocks.
    """
    for name, parameter in flow.named_parameters():
        if any(part in name for part in (".norm1.linear.", ".norm1_context.linear.", "norm_out.")):
            parameter.zero_()
    flow.transformer.proj_out.weight.zero_()
    flow.transformer.proj_out.bias.zero_()
