"""What any GAN's network becomes for the rest of phosphene: a `Generator` and a `Decoder`.

A network maps z (and class weights) to pictures in one pass. Here it gets its prior, the names of
its classes and its errors; truncation and the like are for those who draw latents (`explore`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, cast, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.errors import (
    CheckpointError,
    LatentMismatch,
    RecipeError,
    Unsupported,
    did_you_mean,
)
from phosphene.core.images import Images
from phosphene.core.latent import Condition, Latent, LatentSpec, Space
from phosphene.core.protocols import Step
from phosphene.core.rng import Rng

Prior = Literal["normal", "uniform"]
ClassWeights = Float[Tensor, "b num_classes"]
# One sample's classes: a name, an index, or weights by either.
Wanted = str | int | Mapping[str, float] | Mapping[int, float]


class Network(Protocol):
    """A GAN's generating network.

    `forward(z, classes=None)`: z is b z_dim, classes float b num_classes, pictures in
    about [-1, 1].
    """

    z_dim: int
    num_classes: int  # 0: unconditional
    resolution: tuple[int, int]  # height, width
    channels: int  # 1 grey, 3 RGB, 4 RGBA

    def __call__(self, z: Tensor, classes: Tensor | None = None) -> Tensor: ...

    def latent_weights(self) -> list[Tensor]: ...


class StyledNetwork(Network, Protocol):
    """A network whose z is first mapped to styles w, one for each of `num_ws` layers.

    `noise` is one b 1 h w tensor a layer, as `noise_shapes` says; None uses constants.
    """

    w_dim: int
    num_ws: int
    w_avg: Tensor  # w_dim

    def mapping(self, z: Tensor, classes: Tensor | None = None) -> Tensor: ...

    def synthesis(self, ws: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor: ...

    def noise_shapes(self) -> list[tuple[int, int]]: ...


class GANGenerator(nn.Module):
    """A GAN ready to draw from.

    Args:
        class_names: One for each class of a conditional network; empty names them by number.
        prior: Distribution of z: standard normal, or uniform in [-1, 1].
    Raises:
        CheckpointError: names that are not as many as the classes, or occur twice.
    """

    network: nn.Module

    def __init__(
        self, network: nn.Module, class_names: Sequence[str] = (), prior: Prior = "normal"
    ) -> None:
        super().__init__()
        self.network = network
        names = tuple(class_names)
        if names and len(names) != self.num_classes:
            raise CheckpointError(
                f"{len(names)} class names for a network of {self.num_classes} classes; "
                "they must be as many"
            )
        if len(set(names)) != len(names):
            raise CheckpointError("a class name occurs twice; each class needs its own")
        self.class_names = names or tuple(str(i) for i in range(self.num_classes))
        self.prior = prior
        self.spec = LatentSpec(Space.Z, (self.z_dim,))

    @property
    def _net(self) -> Network:
        return cast(Network, self.network)

    @property
    def z_dim(self) -> int:
        return self._net.z_dim

    @property
    def num_classes(self) -> int:
        """Number of classes; 0 for an unconditional network."""
        return self._net.num_classes

    @property
    def resolution(self) -> tuple[int, int]:
        """Height and width of its pictures, px."""
        return self._net.resolution

    @property
    def channels(self) -> int:
        """1 grey, 3 RGB, 4 RGBA."""
        return self._net.channels

    def draw(self, rng: Rng, condition: Condition | None = None) -> Latent:
        """Draw z from the prior, one for each seed."""
        if self.prior == "uniform":
            return Latent(Space.Z, rng.uniform(self.z_dim, low=-1.0, high=1.0))
        return Latent(Space.Z, rng.normal(self.z_dim))

    def condition_of(self, wanted: Sequence[Wanted] | ClassWeights) -> Condition:
        """Class weights of each sample: one-hot for a name or an index, mixed for weights.

        Args:
            wanted: One entry a sample: "fox", 3, {"fox": 0.5, "owl": 0.5}; or the weights.
        Raises:
            Unsupported: the model knows no classes.
            RecipeError: a class that the model lacks, or weights of another shape.
        """
        if self.num_classes == 0:
            raise Unsupported("this model knows no classes; leave them out")
        if isinstance(wanted, Tensor):
            self._demand_classes(wanted, len(wanted))
            return Condition(classes=wanted)
        classes = torch.zeros(len(wanted), self.num_classes)
        for row, entry in enumerate(wanted):
            weights = entry if isinstance(entry, Mapping) else {entry: 1.0}
            for name, weight in weights.items():
                classes[row, self.class_index(name)] += weight
        return Condition(classes=classes)

    def class_index(self, name: str | int) -> int:
        """Index of a class by its name, or by its number where no class has that name.

        Raises:
            RecipeError: the model lacks it.
        """
        text = str(name)
        if isinstance(name, str) and text in self.class_names:
            return self.class_names.index(text)
        if text.isascii() and text.isdigit() and int(text) < self.num_classes:
            return int(text)
        hint = did_you_mean(text, self.class_names)
        raise RecipeError(
            f"no class {text[:60]!r}{hint}; this model has {self.num_classes}, "
            f"{_shown(self.class_names)}"
        )

    def any_condition(self, rng: Rng, condition: Condition | None = None) -> Condition:
        """The condition given; else, for a conditional network, a class drawn for each seed."""
        if self.num_classes == 0 or (condition is not None and condition.classes is not None):
            return condition or Condition()
        drawn = rng.fork("classes").integers(1, high=self.num_classes)[:, 0]
        return self.condition_of([int(index) for index in drawn])

    def decode(self, latent: Latent, condition: Condition | None = None) -> Images:
        """Latents to images in about [-1, 1], float32, not clipped; differentiable.

        Raises:
            LatentMismatch: a latent of another space or size.
            RecipeError: classes missing, or other than the model's.
        """
        z = self._latent(latent, Space.Z)
        return self._pictures(self.network(z, self._classes(condition, len(z))))

    def render(
        self, latent: Latent, rng: Rng, condition: Condition | None = None
    ) -> Iterator[Step]:
        """Decode in one step; where no class is named, one is drawn for each sample."""
        yield Step(0, 1, self._rendered(latent, rng, self.any_condition(rng, condition)))

    @torch.no_grad()
    def _rendered(self, latent: Latent, rng: Rng, condition: Condition) -> Images:
        return self.decode(latent, condition)

    def latent_weights(self) -> list[Float[Tensor, "_ d"]]:
        """The matrices that take z; of styles those that take w, one for each of `num_ws` layers.

        What they amplify most is what changes pictures most: see `explore.directions`.
        """
        return [weight.detach().float() for weight in self._net.latent_weights()]

    def _pictures(self, images: Tensor) -> Images:
        return images.float()

    def _place(self, tensor: Tensor) -> Tensor:
        """Bring a tensor to where the weights are."""
        weight = next(self.network.parameters())
        return tensor.to(device=weight.device, dtype=weight.dtype)

    def _latent(self, latent: Latent, *spaces: Space) -> Tensor:
        """The latent's tensor, checked against the shape that its space has here."""
        data = latent.expect(*spaces)
        wanted = self._shape_in(latent.space)
        if data.ndim != 1 + len(wanted) or tuple(data.shape[1:]) != wanted:
            raise LatentMismatch(
                f"a latent of shape {list(data.shape)} does not fit this model, which takes "
                f"[b, {', '.join(map(str, wanted))}] in space {latent.space}; "
                "use latents of the same model"
            )
        return self._place(data)

    def _shape_in(self, space: Space) -> tuple[int, ...]:
        return (self.z_dim,)

    def _classes(self, condition: Condition | None, count: int) -> Tensor | None:
        classes = None if condition is None else condition.classes
        if self.num_classes == 0:
            if classes is not None:
                raise Unsupported("this model knows no classes; leave them out")
            return None
        if classes is None:
            raise RecipeError(
                f"this model paints one of {self.num_classes} classes; name one, "
                f"{_shown(self.class_names)}"
            )
        self._demand_classes(classes, count)
        return self._place(classes)

    def _demand_classes(self, classes: Tensor, count: int) -> None:
        if tuple(classes.shape) != (count, self.num_classes):
            raise RecipeError(
                f"class weights of shape {list(classes.shape)} for {count} samples of "
                f"{self.num_classes} classes; give [{count}, {self.num_classes}]"
            )


class StyledGenerator(GANGenerator):
    """A GAN with a mapping network (StyleGAN): implements `core.protocols.Styled`.

    `decode` takes z, w or w+ and is deterministic; `render` draws fresh noise for the layers.
    """

    @property
    def _styled(self) -> StyledNetwork:
        return cast(StyledNetwork, self.network)

    @property
    def w_dim(self) -> int:
        return self._styled.w_dim

    @property
    def num_ws(self) -> int:
        """Number of styles a picture takes, one a layer."""
        return self._styled.num_ws

    @property
    def w_avg(self) -> Float[Tensor, " w_dim"]:
        """The mean of w over z, what truncation pulls towards."""
        return self._styled.w_avg

    def map(self, z: Latent, condition: Condition | None = None) -> Latent:
        """Map z to w+, the same w for each layer: b num_ws w_dim.

        Raises:
            LatentMismatch: not a z of this model.
            RecipeError: classes missing, or other than the model's.
        """
        data = self._latent(z, Space.Z)
        w = self._styled.mapping(data, self._classes(condition, len(data)))
        return Latent(Space.W_PLUS, w[:, None].expand(-1, self.num_ws, -1))

    def decode(
        self,
        latent: Latent,
        condition: Condition | None = None,
        layer_noise: Sequence[Tensor] | None = None,
    ) -> Images:
        """Z, w or w+ to images. See `GANGenerator.decode`.

        Args:
            layer_noise: Of each layer, as `layer_noise` draws it; None is constant noise.
        """
        ws = self._ws(latent, condition)
        noise = None if layer_noise is None else [self._place(grain) for grain in layer_noise]
        return self._pictures(self._styled.synthesis(ws, noise))

    def layer_noise(self, rng: Rng) -> list[Float[Tensor, "b 1 _h _w"]]:
        """Fresh noise for each layer, one sample a seed."""
        own = rng.fork("layer_noise")
        shapes = self._styled.noise_shapes()
        return [self._place(own.fork(i).normal(1, h, w)) for i, (h, w) in enumerate(shapes)]

    @torch.no_grad()
    def _rendered(self, latent: Latent, rng: Rng, condition: Condition) -> Images:
        return self.decode(latent, condition, self.layer_noise(rng))

    def _ws(self, latent: Latent, condition: Condition | None) -> Tensor:
        data = latent.expect(Space.Z, Space.W, Space.W_PLUS)
        if latent.space is Space.Z:
            latent = self.map(latent, condition)
        elif latent.space is Space.W:
            data = self._latent(latent, Space.W)
            latent = Latent(Space.W_PLUS, data[:, None].expand(-1, self.num_ws, -1))
        return self._latent(latent, Space.W_PLUS)

    def _shape_in(self, space: Space) -> tuple[int, ...]:
        shapes = {
            Space.Z: (self.z_dim,),
            Space.W: (self.w_dim,),
            Space.W_PLUS: (self.num_ws, self.w_dim),
        }
        return shapes[space]


def generator_of(network: nn.Module, config: Mapping[str, Any]) -> GANGenerator:
    """Wrap a trained network for the zoo, frozen and in eval mode.

    Args:
        config: The model's; its keys `class_names` and `prior` are read.
    Raises:
        CheckpointError: names or a prior that do not fit.
    """
    names = config.get("class_names", ())
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise CheckpointError("class_names of the model's config is not a list of names")
    prior = config.get("prior", "normal")
    if prior not in get_args(Prior):
        raise CheckpointError(f"prior is {str(prior)[:20]!r}; it can be normal, uniform")
    # not isinstance(network, StyledNetwork): that cannot see buffers of a module
    kind = StyledGenerator if hasattr(network, "synthesis") else GANGenerator
    made = kind(network, tuple(names), prior)
    made.requires_grad_(False)
    return made.eval()


def _shown(names: Sequence[str], most: int = 6) -> str:
    listed = ", ".join(names[:most])
    return f"such as {listed}" if len(names) > most else f"namely {listed}"
