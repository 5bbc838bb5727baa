"""How any GAN of this folder learns: one `Learner` for all families.

A step is `d_steps` steps of the discriminator and `g_steps` of the generator. Losses and penalties
are those of `nn.adversarial`; lazy penalties follow Karras et al. 2020, "Analyzing and Improving
the Image Quality of StyleGAN", appendix B: a step of their own, now and then, scaled up.

Of a team of processes each paints and judges its part of every batch; gradients, batch statistics
and what is logged are those of the whole, so the weights are the same in all of them.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.images import Images, from_uint8
from phosphene.core.latent import Condition
from phosphene.core.rng import Rng
from phosphene.core.team import ALONE, Team
from phosphene.families.gan.abilities import (
    Augment,
    Bounding,
    Growing,
    Matching,
    Redrawing,
    Tracking,
)
from phosphene.families.gan.generator import StyledNetwork, generator_of
from phosphene.families.gan.settings import GANTraining
from phosphene.nn.adversarial import LOSSES, gradient_penalty, path_lengths, r1_penalty
from phosphene.nn.layers import channels_last
from phosphene.nn.shared import share_statistics

PATH_MEMORY = 0.99  # of the running mean of path lengths
NUM_SHOWN = 64
MOST_COLUMNS = 16

Part = tuple[Tensor, Tensor | None]  # real pictures and their class weights


class GANLearner:
    """A `Learner`: discriminator and generator against each other, on a batch of pictures.

    Args:
        network: What paints; see `generator.Network`.
        average: Another of the same config: the averaged weights that are shipped.
        discriminator: Pictures (and class weights) to logits, b first.
        config: Of the network, to be shipped with it.
        class_names: Of the data; as many as the network has classes.
        team: The processes that learn together, from equal seeds.
    Raises:
        Unsupported: a setting for styled networks, and the network has no styles.
    """

    def __init__(
        self,
        network: nn.Module,
        average: nn.Module,
        discriminator: nn.Module,
        settings: GANTraining,
        augment: Augment,
        *,
        config: Mapping[str, Any],
        class_names: tuple[str, ...] = (),
        team: Team = ALONE,
    ) -> None:
        self.styled = hasattr(network, "synthesis")
        if not self.styled and (settings.path_weight or settings.style_mixing_prob):
            raise Unsupported(
                "path_weight and style_mixing_prob are for networks with styles; set them to 0"
            )
        self.team = team
        share_statistics((network, discriminator), team)
        self.network = channels_last(network).train()
        self.discriminator = channels_last(discriminator).train()
        average.load_state_dict(network.state_dict())
        shipped = {"class_names": list(class_names), "prior": settings.prior}
        self.average = generator_of(channels_last(average), shipped)
        self.config = {**config, **{key: value for key, value in shipped.items() if value}}
        self.settings, self.augment, self.loss = settings, augment, LOSSES[settings.loss]
        self.path_mean = torch.zeros(())
        self.rate_scale = 1.0
        self.g_optimizer = self._adam(network, settings.path_weight, settings.path_every)
        self.d_optimizer = self._adam(discriminator, settings.r1_gamma, settings.r1_every)

    @property
    def sheet_columns(self) -> int:
        """Of the sample sheet: one a class, where there are few."""
        classes = self.average.num_classes
        return classes if 0 < classes <= MOST_COLUMNS else MOST_COLUMNS

    @property
    def groups(self) -> int:
        """Parts of a batch that the learner works through one after the other."""
        return self.settings.d_steps * self.settings.accumulate

    def step(self, batch: Mapping[str, Any], index: int, total: int, rng: Rng) -> dict[str, float]:
        """Learn from uint8 `batch["images"]`, and from `batch["classes"]` if conditional.

        Of a team, each process is given its part of each of the batch's `groups`.

        Returns:
            Losses `d` and `g`; `d_real` and `d_fake`, the shares that D tells right; `diversity` of
            painted pictures of a class, as a share of the real ones'; penalties, where due.
        Raises:
            RecipeError: a batch that cannot be shared out, or without classes.
        """
        s, rng = self.settings, rng.part_of(self.team)
        images, classes = self._real(batch, rng)
        count = len(images) * self.team.size
        self._prepare(index, total)
        if isinstance(self.discriminator, Matching):
            images = self.discriminator.match(images)
        parts = self._parts(images, classes)
        log: dict[str, float] = {}
        for k, part in enumerate(parts):
            log |= self._d_step(part, rng.fork("d").fork(k))
            if s.r1_gamma and (index * s.d_steps + k) % s.r1_every == 0:
                log |= self._r1_step(part, rng.fork("r1").fork(k))
        for k in range(s.g_steps):
            log |= self._g_step(parts[-1], rng.fork("g").fork(k))
            if s.path_weight and (index * s.g_steps + k) % s.path_every == 0:
                log |= self._path_step(parts[-1], rng.fork("path").fork(k))
        self._average_weights(count, index)
        self.augment.observe(log.pop("real_sign"), count)
        log = {"d": log["d"], "g": log["g"], **log}  # these first: it is read by people
        return {**log, "augment": self.augment.strength, "rate": self._rate(s.g_rate, index, total)}

    def _d_step(self, part: list[Part], rng: Rng) -> dict[str, float]:
        s, told = self.settings, list[tuple[float, ...]]()
        self.d_optimizer.zero_grad(set_to_none=True)
        for i, (real, classes) in enumerate(part):
            own = rng.fork(i)
            with torch.no_grad():
                fake = self._paint(len(real), classes, own)[0]
            on_real = self._judge(self.augment(real, own.fork("real")), classes)
            on_fake = self._judge(self.augment(fake, own.fork("fake")), classes)
            loss = self.loss.d(on_real, on_fake)
            if s.gp_weight:
                share = own.fork("share").uniform(len(real))[0]
                judge = partial(self._judge, classes=classes)
                penalty = gradient_penalty(judge, real, fake, share)
                loss = loss + s.gp_weight * penalty
            if isinstance(self.discriminator, Redrawing):
                with torch.autocast("cpu", torch.bfloat16, enabled=s.bf16):
                    loss = loss + self.discriminator.aside(real)
            torch.autograd.backward(loss / len(part))
            diversity = self._spread(fake, classes) / max(1e-6, self._spread(real, classes))
            told.append((float(loss.detach()), *self._told(on_real, on_fake), diversity))
        self._move(self.d_optimizer)
        means = self.team.means([sum(column) / len(told) for column in zip(*told, strict=True)])
        return dict(zip(("d", "d_real", "d_fake", "real_sign", "diversity"), means, strict=True))

    def _told(self, on_real: Tensor, on_fake: Tensor) -> tuple[float, float, float]:
        """Shares of the whole batch that D tells right, and the mean sign of its real logits."""
        real, fake = (self.team.gather(logits.detach()) for logits in (on_real, on_fake))
        sign = (real - (self.loss.boundary or 0.0)).sign().mean()
        return *self.loss.accuracy(real, fake), float(sign)

    @torch.no_grad()
    def _spread(self, images: Images, classes: Tensor | None) -> float:
        """How different pictures of one class are: a pixel's deviation from the class's mean.

        Without classes, or where none comes twice, all pictures of the batch are one class.
        """
        kinds = torch.ones(len(images), 1) if classes is None else classes
        counts = self.team.sum(kinds.sum(dim=0))
        kinds, counts = kinds[:, counts > 0], counts[counts > 0]  # those that came
        left = int(counts.sum()) - len(counts)  # degrees of freedom
        if left < 1 and classes is not None:
            return self._spread(images, None)
        if left < 1:
            return 1.0
        sums = self.team.sum(torch.einsum("bk,bchw->kchw", kinds, images))
        means = sums / counts[:, None, None, None]
        apart = images - torch.einsum("bk,kchw->bchw", kinds, means)
        return float((self.team.sum(apart.square().sum(dim=0)) / left).sqrt().mean())

    def _r1_step(self, part: list[Part], rng: Rng) -> dict[str, float]:
        s, total = self.settings, 0.0
        self.d_optimizer.zero_grad(set_to_none=True)
        for i, (real, classes) in enumerate(part):
            # at what D sees: resampling has no second derivative
            seen = self.augment(real, rng.fork(i))
            penalty = r1_penalty(partial(self._judge, classes=classes), seen)
            torch.autograd.backward(penalty * s.r1_gamma * s.r1_every / len(part))
            total += float(penalty.detach()) / len(part)
        self._move(self.d_optimizer)
        return {"r1": self.team.means([total])[0]}

    def _g_step(self, part: list[Part], rng: Rng) -> dict[str, float]:
        total = 0.0
        self.g_optimizer.zero_grad(set_to_none=True)
        self.discriminator.requires_grad_(False)
        for i, (real, classes) in enumerate(part):
            own = rng.fork(i)
            fake, _ = self._paint(len(real), classes, own)
            loss = self.loss.g(self._judge(self.augment(fake, own.fork("fake")), classes))
            torch.autograd.backward(loss / len(part))
            total += float(loss.detach()) / len(part)
        self.discriminator.requires_grad_(True)
        self._move(self.g_optimizer)
        return {"g": self.team.means([total])[0]}

    def _path_step(self, part: list[Part], rng: Rng) -> dict[str, float]:
        """Keep a step in w a step of even length in the picture (equation 4); on half a batch."""
        s = self.settings
        real, classes = part[0]
        count = max(1, len(real) // 2)
        if classes is not None:  # those of the first half of the whole batch
            classes = self.team.rows(self.team.gather(classes)[: count * self.team.size])
        self.g_optimizer.zero_grad(set_to_none=True)
        fake, ws = self._paint(count, classes, rng)
        assert ws is not None
        noise = rng.fork("y").normal(*fake.shape)[0]
        lengths = path_lengths(fake, ws, noise)
        mean = self.team.gather(lengths.detach()).mean()
        self.path_mean = torch.lerp(mean, self.path_mean, PATH_MEMORY)
        penalty = (lengths - self.path_mean).square().mean()
        torch.autograd.backward(penalty * s.path_weight * s.path_every)
        self._move(self.g_optimizer)
        (logged,) = self.team.means([float(penalty.detach())])
        return {"path": logged, "path_length": float(self.path_mean)}

    def _move(self, optimizer: torch.optim.Adam) -> None:
        """Take a step along the gradient of the whole batch."""
        self.team.average_gradients(p for group in optimizer.param_groups for p in group["params"])
        optimizer.step()

    def _paint(
        self, count: int, classes: Tensor | None, rng: Rng
    ) -> tuple[Images, Float[Tensor, "b num_ws w_dim"] | None]:
        """Pictures of the network in training, and the styles they were made of."""
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bf16):
            z = self._z(count, rng.fork("z"))
            if not self.styled:
                return self._bounded(self.network(z, classes)), None
            network = cast(StyledNetwork, self.network)
            w = network.mapping(z, classes)
            if torch.is_grad_enabled() and isinstance(self.network, Tracking):
                self.network.track(self.team.gather(w.detach()))
            ws = w[:, None].expand(-1, network.num_ws, -1)
            if self.settings.style_mixing_prob:
                other = network.mapping(self._z(count, rng.fork("other")), classes)
                ws = torch.where(self._crossed(count, network.num_ws, rng), other[:, None], ws)
            own = rng.fork("layer_noise")
            shapes = enumerate(network.noise_shapes())
            noise = [own.fork(i).normal(count, 1, h, w)[0] for i, (h, w) in shapes]
            return self._bounded(network.synthesis(ws, noise)), ws

    def _bounded(self, painted: Images) -> Images:
        judge = self.discriminator
        return judge.bound(painted.float()) if isinstance(judge, Bounding) else painted.float()

    def _crossed(self, count: int, num_ws: int, rng: Rng) -> Tensor:
        """Which layers of which sample follow the other z: all from a random one on."""
        mixed = rng.fork("mixed").uniform(count)[0] < self.settings.style_mixing_prob
        first = rng.fork("crossing").integers(count, high=max(1, num_ws - 1))[0] + 1
        return (mixed[:, None] & (torch.arange(num_ws)[None] >= first[:, None]))[:, :, None]

    def _z(self, count: int, rng: Rng) -> Tensor:
        size = self.average.z_dim
        if self.settings.prior == "uniform":
            return rng.uniform(count, size, low=-1.0, high=1.0)[0]
        return rng.normal(count, size)[0]

    def _judge(self, images: Images, classes: Tensor | None) -> Tensor:
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.settings.bf16):
            logits: Tensor = self.discriminator(images, classes)
        return logits.float()

    def _real(self, batch: Mapping[str, Any], rng: Rng) -> tuple[Images, Tensor | None]:
        images = from_uint8(batch["images"])
        shape = (self.average.channels, *self.average.resolution)
        if tuple(images.shape[1:]) != shape:
            raise RecipeError(
                f"pictures of {list(images.shape[1:])} for a network of {list(shape)} (channels, "
                "height, width); make model and data agree"
            )
        if self.settings.mirror_prob:
            shares = rng.part_of(ALONE).fork("mirror").uniform(len(images) * self.team.size)[0]
            drawn = self.team.rows(shares, self.groups) < self.settings.mirror_prob
            images = torch.where(drawn[:, None, None, None], images.flip(3), images)
        if self.average.num_classes == 0:
            return images, None
        if "classes" not in batch:
            raise RecipeError("the data has no classes; give a folder of class folders")
        one_hot = torch.eye(self.average.num_classes)
        return images, one_hot[batch["classes"]]

    def _parts(self, images: Images, classes: Tensor | None) -> list[list[Part]]:
        """Share a batch out: for each step of D, the parts that its gradient is gathered from."""
        s, count, shares = self.settings, len(images), self.groups
        if count % shares:
            raise RecipeError(
                f"a batch of {count} cannot be shared out over d_steps {s.d_steps} x accumulate "
                f"{s.accumulate}; choose a multiple of {shares} as batch_size"
            )
        pictures = images.chunk(shares)
        labels = [None] * shares if classes is None else list(classes.chunk(shares))
        pairs: list[Part] = list(zip(pictures, labels, strict=True))
        return [pairs[i : i + s.accumulate] for i in range(0, shares, s.accumulate)]

    def _adam(self, module: nn.Module, penalty: float, every: int) -> torch.optim.Adam:
        """Adam, with memory and rate as if lazy penalties came in every step (appendix B)."""
        s = self.settings
        share = every / (every + 1) if penalty else 1.0
        parameters = [p for p in module.parameters() if p.requires_grad]
        return torch.optim.Adam(
            [{"params": parameters, "share": share}],
            lr=0.0,
            betas=(s.beta1**share, s.beta2**share),
            eps=1e-8,
            fused=True,
        )

    def _rate(self, peak: float, index: int, total: int) -> float:
        start = self.settings.decay_start * total
        gone = 0.0 if index < start else (index - start) / max(1.0, total - start)
        return peak * (1 - 0.9 * gone) * self.rate_scale

    def _prepare(self, index: int, total: int) -> None:
        """Set the rates, and let networks that grow do so."""
        s = self.settings
        for optimizer, peak in ((self.g_optimizer, s.g_rate), (self.d_optimizer, s.d_rate)):
            for group in optimizer.param_groups:
                group["lr"] = self._rate(peak, index, total) * group["share"]
        self._grow(index / total)

    def _grow(self, progress: float) -> None:
        for network in (self.network, self.average.network, self.discriminator):
            if isinstance(network, Growing):
                network.grow(progress)

    @torch.no_grad()
    def _average_weights(self, count: int, index: int) -> None:
        seen = (index + 1) * count / 1000
        half_life = min(self.settings.ema_kimg, 0.05 * seen)  # short at first: the start is noise
        decay = 0.5 ** (count / 1000 / max(half_life, 1e-8))
        averaged = self.average.network.state_dict()
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                averaged[name].lerp_(value, 1 - decay)
            else:
                averaged[name].copy_(value)

    def temper(self, factor: float) -> None:
        """Go on with rates scaled down: what the loop does after a collapse."""
        self.rate_scale *= factor

    @torch.no_grad()
    def preview(self, batch: Mapping[str, Any], rng: Rng) -> Images:
        """What the averaged network paints for fixed seeds; with few classes, one z a row."""
        classes, columns = self.average.num_classes, self.sheet_columns
        condition = None
        if 0 < classes <= MOST_COLUMNS:
            rows = max(1, NUM_SHOWN // columns)
            own = Rng(tuple(i // columns for i in range(rows * columns)))
            condition = self.average.condition_of([i % columns for i in range(rows * columns)])
        else:
            own = Rng.from_seed(0, NUM_SHOWN)
            if classes:
                condition = self.average.condition_of([i % classes for i in range(NUM_SHOWN)])
        return self.average.decode(self.average.draw(own), condition or Condition()).clamp(-1, 1)

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.network.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "g_optimizer": self.g_optimizer.state_dict(),
            "d_optimizer": self.d_optimizer.state_dict(),
            "augment": self.augment.state(),
            "path_mean": self.path_mean,
            "rate_scale": self.rate_scale,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Continue from `state()`."""
        self.network.load_state_dict(state["network"])
        self.average.network.load_state_dict(state["average"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.g_optimizer.load_state_dict(state["g_optimizer"])
        self.d_optimizer.load_state_dict(state["d_optimizer"])
        self.augment.load_state(state["augment"])
        self.path_mean = state["path_mean"].clone()
        self.rate_scale = float(state["rate_scale"])

    def export(self) -> tuple[nn.Module, dict[str, Any]]:
        """The averaged network, fully grown, and its config."""
        self._grow(1.0)
        return self.average.network, dict(self.config)
