"""How a token transformer learns: to say the next token of a picture, told its caption.

Loss: the mean over places of -log p(t_i | words, t_0 ... t_{i-1}), in nats. A share of the captions
is left empty, for guidance (Ho & Salimans 2022), and of the sketches, so that it paints without
them, too. A sketch is the plain drawing of its picture. Pictures become tokens once, by `encode`;
the batches hold tokens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Int, UInt8
from torch import Tensor, nn

from phosphene.core.images import Images, from_uint8
from phosphene.core.latent import Latent, Space
from phosphene.core.protocols import Autoencoder, Choice
from phosphene.core.rng import Rng
from phosphene.core.team import ALONE, Team
from phosphene.families.tokens.generator import GUIDANCE_SCALE, demand_vocab
from phosphene.families.tokens.sampling import Sampling, Term, draw, numbers
from phosphene.families.tokens.transformer import (
    TokenReader,
    TokenTransformer,
    TokenTransformerConfig,
    read,
)
from phosphene.nn.averaging import follow
from phosphene.nn.schedules import trapezoid_rate

SHOWN = Choice(top_k=256, top_p=0.95)  # how sample sheets are drawn
RGB = 3
BLANK = -1  # of a sketch: nothing is shown
HALF = 2**15  # int16 holds the tokens of smaller codebooks


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTraining:
    """Settings of the training.

    Args:
        learning_rate: Peak; it is held, and falls to nothing at the end.
        decay_start: Fraction of the run after which rates fall.
        weight_decay: Of matrices; vectors are left alone.
        unsaid_prob: Share of captions that are left empty.
        unshown_prob: Share of examples without sketch, of a network that paints after some.
        ema: Decay of the averaged weights that are shipped.
        num_examples: Pictures that are encoded, once, and learnt from again and again; fewer where
            the data has fewer.
    """

    learning_rate: float = 2e-3
    warmup_steps: int = 100
    decay_start: float = 0.6
    weight_decay: float = 0.05
    unsaid_prob: float = 0.1
    unshown_prob: float = 0.1
    ema: float = 0.999
    num_examples: int = 60_000


class TokenLearner:
    """A `Learner` of a `TokenTransformer` from batches of tokens and captions."""

    sheet_columns = 16

    def __init__(
        self,
        config: TokenTransformerConfig,
        settings: TokenTraining,
        autoencoder: Autoencoder,
        text: TokenReader,
        rng: Rng,
        team: Team = ALONE,
    ) -> None:
        demand_vocab(config, autoencoder)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.fork("weights").integers(1, high=2**62)))
            self.network = TokenTransformer(config)
        self.average = TokenTransformer(config).requires_grad_(False)
        self.average.load_state_dict(self.network.state_dict())
        self.settings, self.team = settings, team
        self.autoencoder, self.text = autoencoder, text
        self.rate_scale = 1.0
        self.optimizer = torch.optim.AdamW(
            _groups(self.network, settings.weight_decay), lr=0.0, betas=(0.9, 0.95), fused=True
        )

    @torch.no_grad()
    def encode(self, images: UInt8[Tensor, "b c h w"]) -> Int[Tensor, "b rows columns"]:
        """Pictures, and beside them their drawings, to tokens: in 16 bits where they suffice."""
        stack = from_uint8(images)
        parts = [self._tokens(part) for part in stack.chunk(stack.shape[1] // RGB, dim=1)]
        small = self.network.config.vocab <= HALF
        return torch.cat(parts, dim=2).to(torch.int16 if small else torch.int32)

    def _tokens(self, images: Images) -> Int[Tensor, "b rows columns"]:
        return self.autoencoder.tokens(self.autoencoder.encode(images)).data

    def step(self, batch: Mapping[str, Any], index: int, total: int, rng: Rng) -> dict[str, float]:
        """Learn from `batch["codes"]`, tokens, and `batch["captions"]`; returns the loss."""
        s, rng = self.settings, rng.part_of(self.team)
        grids = batch["codes"].long()
        parts = grids.chunk(grids.shape[2] // grids.shape[1], dim=2)
        tokens, *drawn = (part.flatten(1) for part in parts)
        unsaid = rng.fork("unsaid").uniform(len(tokens))[0] < s.unsaid_prob
        said = ["" if no else text for no, text in zip(unsaid, batch["captions"], strict=True)]
        words = read(self.text, said, self.network.config.text_length)
        if drawn:
            unshown = rng.fork("unshown").uniform(len(tokens))[0] < s.unshown_prob
            words = words._replace(sketch=drawn[0].masked_fill(unshown[:, None], BLANK))
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.network(tokens[:, :-1], words)
        loss = F.cross_entropy(logits.flatten(0, 1), tokens.flatten())
        rate = trapezoid_rate(s.learning_rate, index, total, s.warmup_steps, s.decay_start)
        norm = self._move(loss, rate * self.rate_scale)
        follow(self.average, self.network, s.ema, index)
        (shared,) = self.team.means([float(loss.detach())])
        return {"loss": shared, "grad_norm": norm, "rate": rate * self.rate_scale}

    def _move(self, loss: Tensor, rate: float) -> float:
        """Make an optimiser step down a loss; returns the gradient's norm before it is clipped."""
        self.optimizer.zero_grad(set_to_none=True)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        torch.autograd.backward(loss)
        self.team.average_gradients(self.network.parameters())
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        return float(norm)

    def temper(self, factor: float) -> None:
        """Lower the rates from now on."""
        self.rate_scale *= factor

    @torch.no_grad()
    def preview(self, batch: Mapping[str, Any], rng: Rng) -> Images:
        """Pictures, and what the averaged weights draw of their captions, by fixed seeds."""
        c = self.network.config
        stack = from_uint8(batch["images"])
        images, *drawn = stack.chunk(stack.shape[1] // RGB, dim=1)
        sketch = self._tokens(drawn[0]).flatten(1) if drawn else None
        words = read(self.text, batch["captions"], c.text_length)._replace(sketch=sketch)
        unsaid = read(self.text, [""] * len(images), c.text_length)._replace(sketch=sketch)
        u = numbers(Rng(tuple(range(len(images))), "/preview"), c.num_places)
        sampling = Sampling(choice=SHOWN, guidance_scale=GUIDANCE_SCALE)
        with torch.autocast("cpu", torch.bfloat16):
            *_, tokens = draw(self.average, [Term(words)], unsaid, u, sampling)
        grid = Latent(Space.TOKENS, tokens.view(-1, c.grid_size, c.grid_size))
        return torch.cat([images, self.autoencoder.decode(grid).clamp(-1, 1)])

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rate_scale": self.rate_scale,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rate_scale = float(state["rate_scale"])

    def export(self) -> tuple[nn.Module, dict[str, Any]]:
        """The averaged network and its config."""
        return self.average, self.network.config.to_dict()


def _groups(network: TokenTransformer, weight_decay: float) -> list[dict[str, Any]]:
    """The matrices of layers decay; gains, shifts and what stands for places and tokens do not."""
    layers = [m.weight for m in network.modules() if isinstance(m, nn.Linear)]
    chosen = {id(weight) for weight in layers}
    rest = [p for p in network.parameters() if id(p) not in chosen]
    return [
        {"params": layers, "weight_decay": weight_decay},
        {"params": rest, "weight_decay": 0.0},
    ]
