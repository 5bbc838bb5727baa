"""How a VQGAN learns: reconstruction, perceptual and patch-adversarial losses.

Source: Esser et al. 2021, equations 2-7. Weights are ratios of gradient norms at the picture
(taming balances only the adversarial part, at the last layer): the same meaning at any stage of
training, from one backward pass through the decoder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.errors import Unsupported
from phosphene.core.images import Images, from_uint8
from phosphene.core.rng import Rng
from phosphene.core.team import ALONE, Team
from phosphene.families.tokens.vqgan import VQGAN, VQGANConfig
from phosphene.nn.adversarial import PatchDiscriminator, hinge_d, hinge_g
from phosphene.nn.averaging import follow
from phosphene.nn.layers import channels_last
from phosphene.nn.schedules import cosine_rate


@runtime_checkable
class Distance(Protocol):
    """A differentiable perceptual distance between pictures."""

    def distance(self, a: Images, b: Images) -> Float[Tensor, " b"]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VQGANTraining:
    """Settings of the training.

    Args:
        learning_rate: Peak of a cosine schedule with warm-up.
        perceptual_weight: Gradient of the feature distance as a multiple of that of L1.
        commitment_weight: Pull of the encoder towards the codes it uses.
        code_memory: Share of a code's running mean that a step keeps.
        adversarial_weight: Adversarial gradient as a multiple of that of the two together.
        adversarial_start: Fraction of the run after which the discriminator takes part.
        restart_below: A code used fewer times a step (averaged) is re-drawn from the batch.
        ema: Decay of the averaged weights that are shipped.
    """

    learning_rate: float = 6e-4
    warmup_steps: int = 100
    perceptual_weight: float = 1.5
    commitment_weight: float = 0.25
    code_memory: float = 0.97
    adversarial_weight: float = 0.3
    adversarial_start: float = 0.5
    restart_below: float = 0.02
    ema: float = 0.998


def balanced(gradient: Tensor, beside: Tensor, weight: float, team: Team = ALONE) -> Tensor:
    """Scale a gradient to `weight` times the norm of another, both of the whole batch."""
    scale: Tensor = weight * _norm(beside, team) / _norm(gradient, team).clamp_min(1e-12)
    return gradient * scale


def _norm(gradient: Tensor, team: Team) -> Tensor:
    norm: Tensor = gradient.norm()
    return norm if team.size == 1 else team.sum(norm.square()).sqrt()


class VQGANLearner:
    """A `Learner`: one optimiser step of autoencoder and discriminator on a batch of pictures.

    Of a team of processes each sees its part of the batch; gradients and codebook are the whole's.
    """

    def __init__(
        self,
        config: VQGANConfig,
        settings: VQGANTraining,
        features: Distance,
        rng: Rng,
        team: Team = ALONE,
    ) -> None:
        if config.codebook == "gumbel":
            raise Unsupported("a gumbel codebook is read, not trained; train a cosine one")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.fork("weights").integers(1, high=2**62)))
            self.model = channels_last(VQGAN(config))
            self.discriminator = channels_last(PatchDiscriminator())
        self.average = channels_last(VQGAN(config)).requires_grad_(False)
        self.average.load_state_dict(self.model.state_dict())
        self.settings, self.features, self.team = settings, features, team
        self.usage = torch.zeros(config.codebook_size)  # all dead: the first batch fills the table
        self.model.quantize.requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            [p for p in self.model.parameters() if p.requires_grad],
            lr=0.0,
            betas=(0.9, 0.95),
            weight_decay=1e-4,
            fused=True,
        )
        self.d_optimizer = torch.optim.AdamW(
            self.discriminator.parameters(), lr=0.0, betas=(0.5, 0.9), weight_decay=1e-4, fused=True
        )

    def step(self, batch: Mapping[str, Any], index: int, total: int, rng: Rng) -> dict[str, float]:
        """Learn from uint8 `batch["images"]`; returns the losses."""
        s = self.settings
        images = from_uint8(batch["images"]).contiguous(memory_format=torch.channels_last)
        rate = cosine_rate(s.learning_rate, index, total, s.warmup_steps)
        for group in (*self.optimizer.param_groups, *self.d_optimizer.param_groups):
            group["lr"] = rate
        adversarial = index >= s.adversarial_start * total
        with torch.autocast("cpu", torch.bfloat16):
            features = self.model.quant_conv(self.model.encoder(images)).float()
            codes = F.normalize(features, dim=1) if self.cosine else features
            tokens = self.model.quantize.nearest(codes)
            entries = self.model.quantize.lookup(tokens)
            straight = codes + (entries - codes).detach()
            commitment = F.mse_loss(codes, entries.detach())
            painted = self.model.decoder(self.model.post_quant_conv(straight)).float()
        log, gradient = self._picture_gradient(painted, images, adversarial, index)
        self.optimizer.zero_grad(set_to_none=True)
        pull = s.commitment_weight * codes.shape[1] * commitment
        torch.autograd.backward([painted, pull], [gradient, None])
        self.team.average_gradients(self.model.parameters())
        log["grad_norm"] = float(nn.utils.clip_grad_norm_(self.model.parameters(), 1.0))
        self.optimizer.step()
        if adversarial:
            log["d"] = self._discriminator_step(images, painted.detach())
        with torch.no_grad():
            self._update_codebook(codes.detach(), tokens, rng)
            self._update_average(index)
        log |= {"commitment": float(commitment.detach()), "lr": rate}
        log = dict(zip(log, self.team.means(list(log.values())), strict=True))
        log["codes_used"] = float((self.usage > s.restart_below).float().mean())
        return log

    @property
    def cosine(self) -> bool:
        return bool(self.model.config.codebook == "cosine")

    def _picture_gradient(
        self, painted: Images, images: Images, adversarial: bool, index: int
    ) -> tuple[dict[str, float], Tensor]:
        """Gradient of all picture losses at the painted picture, found without the decoder."""
        s = self.settings
        leaf = painted.detach().requires_grad_()
        l1 = (leaf - images).abs().mean()
        (gradient,) = torch.autograd.grad(l1, leaf)
        perceptual = self.features.distance(leaf, images).mean()
        (push,) = torch.autograd.grad(perceptual, leaf)
        gradient = gradient + balanced(push, gradient, s.perceptual_weight, self.team)
        log = {"l1": float(l1.detach()), "perceptual": float(perceptual.detach())}
        if adversarial:
            self.discriminator.requires_grad_(False)
            with torch.autocast("cpu", torch.bfloat16):
                fooled = hinge_g(self.discriminator(leaf).float())
            (push,) = torch.autograd.grad(fooled, leaf)
            self.discriminator.requires_grad_(True)
            gradient = gradient + balanced(push, gradient, s.adversarial_weight, self.team)
            log["g"] = float(fooled.detach())
        return log, gradient

    def _discriminator_step(self, images: Images, painted: Images) -> float:
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.discriminator(torch.cat([images, painted])).float()
            loss = hinge_d(*logits.chunk(2))
        self.d_optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.team.average_gradients(self.discriminator.parameters())
        self.d_optimizer.step()
        return float(loss.detach())

    def _update_codebook(self, codes: Tensor, tokens: Tensor, rng: Rng) -> None:
        """Move each code to the running mean of what it stood for; revive those that nobody uses.

        Source: van den Oord et al. 2017, "Neural Discrete Representation Learning", appendix A.1.
        By gradient the table lags so far behind that the encoder gives up dimensions.
        """
        table, memory = self.model.quantize.embedding.weight, self.settings.code_memory
        pool, chosen = codes.permute(0, 2, 3, 1).flatten(0, 2), tokens.flatten()
        counts = self.team.sum(torch.bincount(chosen, minlength=len(table)).float())
        sums = self.team.sum(torch.zeros_like(table).index_add_(0, chosen, pool))
        used = counts > 0
        mass = self.usage * memory
        table[used] = (table * mass[:, None] + sums * (1 - memory))[used] / (
            mass + counts * (1 - memory)
        )[used, None]
        self.usage.lerp_(counts, 1 - memory)
        dead = (self.usage < self.settings.restart_below).nonzero().flatten()
        if len(dead) == 0:
            return
        pool, chosen = self.team.gather(pool), self.team.gather(chosen)
        # those badly served are likelier to become a code of their own
        error = (pool - table[chosen]).square().sum(dim=1).cumsum(dim=0)
        drawn = rng.fork("restart").uniform(len(dead))[0] * error[-1]
        picked = torch.searchsorted(error, drawn).clamp(max=len(pool) - 1)
        table[dead] = pool[picked]
        self.usage[dead] = self.settings.restart_below * 5

    def _update_average(self, index: int) -> None:
        follow(self.average, self.model, self.settings.ema, index)
        # the table follows the codes by itself; a revived code must not be mixed with the dead
        self.average.quantize.load_state_dict(self.model.quantize.state_dict())

    @torch.no_grad()
    def preview(self, batch: Mapping[str, Any], rng: Rng) -> Images:
        """Originals, then their reconstructions by the averaged weights."""
        images = from_uint8(batch["images"])
        painted = self.average.decode(self.average.snap(self.average.encode(images)))
        return torch.cat([images, painted.clamp(-1, 1)])

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "d_optimizer": self.d_optimizer.state_dict(),
            "usage": self.usage,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.d_optimizer.load_state_dict(state["d_optimizer"])
        self.usage = state["usage"].clone()

    def export(self) -> tuple[nn.Module, dict[str, Any]]:
        """The averaged network and its config."""
        return self.average, self.model.config.to_dict()
