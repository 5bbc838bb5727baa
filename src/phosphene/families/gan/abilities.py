"""What the parts of a GAN may be able to do while it learns: narrow protocols."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from phosphene.core.images import Images
from phosphene.core.rng import Rng


@runtime_checkable
class Augment(Protocol):
    """What stands between pictures and the discriminator."""

    strength: float

    def __call__(self, images: Images, rng: Rng) -> Images: ...

    def observe(self, real_sign: float, count: int) -> None: ...

    def state(self) -> dict[str, Any]: ...

    def load_state(self, state: Mapping[str, Any]) -> None: ...


@runtime_checkable
class Growing(Protocol):
    """A network whose resolution grows while it learns; `progress` is the share of the run done."""

    def grow(self, progress: float) -> None: ...


@runtime_checkable
class Matching(Protocol):
    """A discriminator that must see real pictures as coarse as the painted ones are by now."""

    def match(self, images: Images) -> Images: ...


@runtime_checkable
class Bounding(Protocol):
    """A discriminator that knows real pictures only: painted ones come into [-1, 1] first."""

    def bound(self, images: Images) -> Images: ...


@runtime_checkable
class Redrawing(Protocol):
    """A discriminator with a loss of its own on real pictures (FastGAN)."""

    def aside(self, images: Images) -> Tensor: ...


@runtime_checkable
class Tracking(Protocol):
    """A styled network that keeps the running mean of w while it is trained."""

    def track(self, w: Tensor) -> None: ...
