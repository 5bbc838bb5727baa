"""How the perceptor learns: image-text contrast on views as an optimiser will show them.

A plain small encoder is fooled by texture: its gradients draw noise. So it sees cutouts, noise
and codebook reconstructions with wrong codes, and every batch a second time after a step in the
direction that confuses it most (adversarial training): Santurkar et al. 2019, "Image Synthesis with
a Single (Robust) Classifier". And its gradients learn where to go: see `drawing`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.errors import RecipeError
from phosphene.core.images import Images, from_uint8
from phosphene.core.latent import Latent
from phosphene.core.protocols import Autoencoder
from phosphene.core.rng import Rng
from phosphene.core.team import ALONE, Team
from phosphene.core.weights import load_into
from phosphene.nn.averaging import follow
from phosphene.nn.schedules import cosine_rate
from phosphene.prompting.drawing import misdirection, on_the_way
from phosphene.prompting.perceptor import EmojiPerceptor, PerceptorConfig, TokenReader


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastiveTraining:
    """Settings of the training.

    Args:
        learning_rate: Peak for the new layers; the pretrained image network gets `image_share`.
        noise_sigma: Largest deviation of the Gaussian noise on a view, of a range of 2.
        noised_prob: Share of noised views; their deviations follow noise_sigma u^2, u uniform.
        smallest_crop: Least side of a cutout as a share of the picture.
        repainted_prob: Share of views that went through the autoencoder with some codes wrong.
        wrong_code_prob: Largest share of wrong codes in such a view.
        adversarial_step: Largest change per pixel, of a range of 2, in the confusing direction.
        rounds: Times a batch is looked at, in fresh views, since making it costs as much as
            learning from it. The loop counts batches, not rounds.
        small_size: Side in px of the views in the first `small_until` of the run, which are cheap.
        small_until: Fraction of the run with small views; 0 is none.
        drawing_weight: Of the lesson of `drawing`; 0 leaves it out.
        drawing_rounds: Steps of that lesson on every batch.
        ema: Decay of the averaged weights that are shipped.
    """

    learning_rate: float = 1e-3
    image_share: float = 0.2
    warmup_steps: int = 100
    noise_sigma: float = 0.5
    noised_prob: float = 0.5
    smallest_crop: float = 0.4
    repainted_prob: float = 0.25
    wrong_code_prob: float = 0.15
    adversarial_step: float = 0.06
    rounds: int = 2
    small_size: int = 64
    small_until: float = 0.6
    drawing_weight: float = 0.0
    drawing_rounds: int = 2
    ema: float = 0.998


class ContrastiveLearner:
    """A `Learner` of an `EmojiPerceptor` from batches of pictures and captions."""

    def __init__(
        self,
        config: PerceptorConfig,
        settings: ContrastiveTraining,
        text: TokenReader,
        features: Mapping[str, Tensor],
        painter: Autoencoder | None,
        rng: Rng,
        *,
        team: Team = ALONE,
    ) -> None:
        """Start from `features`, a folded `FeatureNet`'s weights.

        Args:
            painter: Repaints some views; None repaints none.
            rng: Of one seed; draws the new layers.
            team: The processes that learn together. All captions of the whole batch are told apart;
                which views are repainted, and with whose codes, each decides for its part.
        Raises:
            CheckpointError: `features` are not those of a folded `FeatureNet`.
            RecipeError: no rounds.
        """
        if settings.rounds < 1:
            raise RecipeError(f"rounds {settings.rounds} is out of range; use 1 or more")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rng.fork("weights").integers(1, high=2**62)))
            self.model = EmojiPerceptor(config, text)
            self.average = EmojiPerceptor(config, text)
        # the tower has no use for the classifier; anything else must fit
        wanted = {k: v for k, v in features.items() if not k.startswith("classifier.")}
        load_into(self.model.image.features, wanted, "image features")
        for network in (self.model, self.average):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.model.requires_grad_(True)
        self.average.requires_grad_(False).load_state_dict(self.model.state_dict())
        self.settings, self.painter, self.team = settings, painter, team
        pretrained = list(self.model.image.features.parameters())
        known = {id(p) for p in pretrained}
        fresh = [p for p in self.model.parameters() if id(p) not in known]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": fresh, "share": 1.0, "weight_decay": 0.05},
                {"params": pretrained, "share": settings.image_share, "weight_decay": 0.05},
            ],
            lr=0.0,
            betas=(0.9, 0.98),
        )

    def step(self, batch: Mapping[str, Any], index: int, total: int, rng: Rng) -> dict[str, float]:
        """Learn from uint8 `batch["images"]` and `batch["captions"]`; returns the losses."""
        s, rng = self.settings, rng.part_of(self.team)
        rate = cosine_rate(s.learning_rate, index, total, s.warmup_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        size = s.small_size if index < s.small_until * total else self.model.input_size
        images = from_uint8(batch["images"])
        states, mask = self.model.tokens(batch["captions"])
        whole = F.adaptive_avg_pool2d(images, size)
        with torch.no_grad():
            images = self._repaint(images, rng.fork("repaint"))
        log: dict[str, float] = {}
        for turn in range(s.rounds):
            log |= self._round(images, states, mask, size, rng.fork("round").fork(turn))
            follow(self.average, self.model, s.ema, index * s.rounds + turn)
        for turn in range(s.drawing_rounds if s.drawing_weight else 0):
            log |= self._draw(whole, states, mask, rng.fork("drawing").fork(turn))
            follow(self.average, self.model, s.ema, index * s.drawing_rounds + turn)
        return log | {"scale": float(self.model.log_scale.detach().exp()), "lr": rate}

    def _round(
        self, images: Images, states: Tensor, mask: Tensor, size: int, rng: Rng
    ) -> dict[str, float]:
        """Learn from one set of views, clean and then attacked."""
        s = self.settings
        with torch.no_grad():
            views = self.views(images, rng, size)
        views.requires_grad_()
        log = self._learn(views, states, mask, "")
        with torch.no_grad():
            assert views.grad is not None
            # uneven pushes, so that both near and far attacks are seen
            push = rng.fork("attack").uniform(len(views))[0].sqrt() * s.adversarial_step
            attacked = views + views.grad.sign() * push.view(-1, 1, 1, 1)
        return log | self._learn(attacked.detach(), states, mask, "attacked_")

    def _learn(self, views: Images, states: Tensor, mask: Tensor, prefix: str) -> dict[str, float]:
        """One optimiser step on views and their captions; the views' gradient is kept."""
        texts = self.team.gather(self.model.read(states, mask))
        seen = self.team.gather(F.normalize(self.model.image(views), dim=1))
        logits = seen @ texts.T * self.model.log_scale.clamp(max=4.6052).exp()
        target = torch.arange(len(logits))
        loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        norm = self._move(loss)
        right = (logits.detach().argmax(dim=1) == target).float().mean()
        return {
            f"{prefix}loss": float(loss.detach()),
            f"{prefix}accuracy": float(right),
            f"{prefix}grad_norm": norm,
        }

    def _draw(self, whole: Images, states: Tensor, mask: Tensor, rng: Rng) -> dict[str, float]:
        """One optimiser step on where the gradient of the similarity points to."""
        stages, wanted = on_the_way(whole, rng)
        stages = stages.contiguous(memory_format=torch.channels_last).requires_grad_()
        seen = F.normalize(self.model.image(stages), dim=1)
        similarity = (seen * self.model.read(states, mask)).sum()
        (gradient,) = torch.autograd.grad(similarity, stages, create_graph=True)
        loss, cosine = misdirection(gradient, wanted)
        norm = self._move(self.settings.drawing_weight * loss)
        return {"drawing_cosine": float(cosine), "drawing_grad_norm": norm}

    def _move(self, loss: Tensor) -> float:
        """Make an optimiser step down a loss; returns the gradient's norm before it is clipped."""
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.team.average_gradients(self.model.parameters())
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return float(norm)

    def views(self, images: Images, rng: Rng, size: int) -> Float[Tensor, "b c {size} {size}"]:
        """Pictures as an optimiser will show them: cutouts, some of them noised."""
        s, b = self.settings, len(images)
        draw = rng.fork("views").uniform(b, 8)[0]
        side = s.smallest_crop + (1 - s.smallest_crop) * draw[:, 0].sqrt()
        side = torch.where(draw[:, 1] < 0.35, torch.ones_like(side), side)  # whole pictures too
        room = 1 - side
        x, y = (draw[:, 2] * 2 - 1) * room, (draw[:, 3] * 2 - 1) * room
        stretch = 1 + (draw[:, 4] - 0.5) * 0.3
        zero = torch.zeros_like(side)
        rows = [torch.stack([side * stretch, zero, x], 1), torch.stack([zero, side, y], 1)]
        # twice as fine, then averaged: whole pictures are shrunk, and would alias
        fine = [b, 3, 2 * size, 2 * size]
        where = F.affine_grid(torch.stack(rows, 1), fine, align_corners=False)
        views = F.grid_sample(images, where, padding_mode="reflection", align_corners=False)
        views = F.avg_pool2d(views, 2)
        sigma = torch.where(draw[:, 5] < s.noised_prob, draw[:, 6].square() * s.noise_sigma, zero)
        noise = rng.fork("noise").normal(*views.shape)[0]
        return (views + noise * sigma.view(b, 1, 1, 1)).contiguous(
            memory_format=torch.channels_last
        )

    def _repaint(self, images: Images, rng: Rng) -> Images:
        """Pass some pictures through the codebook, with a share of their codes replaced."""
        count = round(len(images) * self.settings.repainted_prob)
        if self.painter is None or count == 0:
            return images
        codes = self.painter.snap(self.painter.encode(images[:count])).data
        n, d, h, w = codes.shape
        pool = codes.permute(0, 2, 3, 1).reshape(-1, d)
        other = pool[rng.fork("codes").integers(n, h, w, high=len(pool))[0]].permute(0, 3, 1, 2)
        share = rng.fork("share").uniform(n, 1, 1, 1)[0] * self.settings.wrong_code_prob
        wrong = rng.fork("wrong").uniform(n, 1, h, w)[0] < share
        mixed = Latent(self.painter.spec.space, torch.where(wrong, other, codes))
        painted = self.painter.decode(mixed).clamp(-1, 1)
        return torch.cat([painted, images[count:]])

    @torch.no_grad()
    def preview(self, batch: Mapping[str, Any], rng: Rng) -> Images:
        """The views that the encoder is trained on."""
        images = self._repaint(from_uint8(batch["images"]), rng.fork("repaint"))
        return self.views(images, rng, self.model.input_size).clamp(-1, 1)

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`."""
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])

    def export(self) -> tuple[nn.Module, dict[str, Any]]:
        """The averaged network and its config."""
        return self.average, self.model.config.to_dict()
