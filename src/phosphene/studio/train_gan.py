"""Any GAN family as a learner: a recipe names it as `model.arch`.

The size, channels and, if `settings.conditional`, the classes of the network are those of the data.
"""

import dataclasses
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from phosphene.core.errors import RecipeError, did_you_mean
from phosphene.core.rng import Rng
from phosphene.core.team import ALONE, Team
from phosphene.families.gan.abilities import Augment
from phosphene.families.gan.settings import GANTraining
from phosphene.families.gan.training import GANLearner
from phosphene.studio.recipe import Train
from phosphene.studio.settings import settings_of
from phosphene.studio.training_room import check_networks
from phosphene.training.augment import AdaptiveAugment, DiffAugment, NoAugment
from phosphene.training.data import Source
from phosphene.zoo import Zoo


class Family(NamedTuple):
    """Where a family's config, generating network and discriminator stand."""

    module: str
    config: str
    network: str
    discriminator: str

    def part(self, name: str) -> Any:
        """A class of the family, by its name or by `module:name`, imported now."""
        module, _, own = name.rpartition(":")
        return getattr(
            importlib.import_module(f"phosphene.families.gan.{module or self.module}"), own
        )


FAMILIES = {
    "dcgan": Family("dcgan", "DCGANConfig", "Generator", "Discriminator"),
    "progan": Family("progan", "ProGANConfig", "Generator", "Discriminator"),
    "fastgan": Family("fastgan", "FastGANConfig", "Generator", "Discriminator"),
    "stylegan2": Family(
        "stylegan2",
        "stylegan2_config:StyleGAN2Config",
        "Generator",
        "stylegan2_discriminator:Discriminator",
    ),
    "biggan": Family("biggan", "BigGANConfig", "BigGAN", "biggan_discriminator:Discriminator"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opponent:
    """Who judges, and what it sees.

    Args:
        discriminator: "own" is the family's; "projected" judges pretrained features.
        projected_heads: Scales that a projected discriminator judges at, 1 to 4.
        projected_width: Channels of the mixed features at the finest scale.
        projected_size: Side in px that pictures are scaled to for the features; 0 leaves them.
        augment: "none", "diffaugment" or "ada".
        policy: Of DiffAugment.
        ada_target: Sign of D's logits on real pictures that ADA aims at.
        ada_kimg: Thousands of pictures in which ADA's probability can rise from 0 to 1.
    """

    discriminator: Literal["own", "projected"] = "own"
    projected_heads: int = 4
    projected_width: int = 64
    projected_size: int = 0
    augment: Literal["none", "diffaugment", "ada"] = "none"
    policy: str = "color,translation,cutout"
    ada_target: float = 0.6
    ada_kimg: float = 100.0


def gan_learner(recipe: Train, zoo: Zoo, source: Source, team: Team = ALONE) -> GANLearner:
    """Make the learner of a recipe, as one of a team of processes.

    Raises:
        RecipeError: an unknown family, key or value; classes asked of data without any; or no
            memory for a step.
    """
    settings, opponent = _settings(recipe.settings)
    family = _family(recipe.model)
    if opponent.discriminator == "projected" and (settings.r1_gamma or settings.gp_weight):
        raise RecipeError(
            "a projected discriminator takes no gradient penalty; set r1_gamma and gp_weight to 0"
        )
    names = _class_names(source) if settings.conditional else ()
    kind = family.part(family.config)
    shape = {
        "resolution": recipe.size if recipe.height is None else (recipe.height, recipe.size),
        "channels": recipe.channels,
        "num_classes": len(names),
    }
    _demand_agreement(recipe.model, shape)
    own = {key: value for key, value in recipe.model.items() if key != "arch"}
    config = settings_of(kind, shape | own, "model")
    build = family.part(family.network)
    own_judge = opponent.discriminator == "own"
    check_networks(
        recipe,
        partial(build, config),
        partial(family.part(family.discriminator), config) if own_judge else None,
        (config.z_dim, len(names)),
        team.size * settings.accumulate,
    )
    rng = Rng((recipe.seed,), "/learner")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.fork("weights").integers(1, high=2**62)))
        network, average = build(config), build(config)
        judge = _discriminator(family, config, opponent, recipe, zoo)
    return GANLearner(
        network,
        average,
        judge,
        settings,
        _augment(opponent),
        config=config.to_dict(),
        class_names=names,
        team=team,
    )


def _settings(values: Mapping[str, Any]) -> tuple[GANTraining, Opponent]:
    """Share a table of settings out between the two that they belong to."""
    theirs = {field.name for field in dataclasses.fields(Opponent)}
    ours = {field.name for field in dataclasses.fields(GANTraining)}
    for key in values:
        if key not in theirs | ours:
            hint = did_you_mean(key, theirs | ours)
            known = ", ".join(sorted(theirs | ours))
            raise RecipeError(f"unknown key settings.{key}{hint}; keys are: {known}")
    split = ({k: v for k, v in values.items() if k in keys} for keys in (ours, theirs))
    of_training, of_opponent = split
    return (
        settings_of(GANTraining, of_training, "settings"),
        settings_of(Opponent, of_opponent, "settings"),
    )


def _family(model: Mapping[str, Any]) -> Family:
    arch = str(model.get("arch", ""))
    if arch not in FAMILIES:
        hint = did_you_mean(arch, FAMILIES)
        raise RecipeError(
            f"model.arch is {arch[:40]!r}{hint}; a GAN is one of {', '.join(FAMILIES)}"
        )
    return FAMILIES[arch]


def _demand_agreement(model: Mapping[str, Any], shape: Mapping[str, Any]) -> None:
    """Check that a recipe does not want a network of another shape than its pictures have."""
    for key, of_data in shape.items():
        wanted = model.get(key, of_data)
        wanted = tuple(wanted) if isinstance(wanted, list) else wanted
        if wanted != of_data:
            raise RecipeError(
                f"model.{key} is {wanted}, and that of the data is {of_data}; leave it out, since "
                "size, height, channels and settings.conditional say it"
            )


def _class_names(source: Source) -> tuple[str, ...]:
    names: tuple[str, ...] = getattr(source, "class_names", ())
    if not names:
        raise RecipeError(
            "conditional = true, and the data has no classes; give a folder of class folders, or "
            "the drawings of an emoji set"
        )
    return names


def _discriminator(
    family: Family, config: Any, opponent: Opponent, recipe: Train, zoo: Zoo
) -> nn.Module:
    if opponent.discriminator == "own":
        judge: nn.Module = family.part(family.discriminator)(config)
        return judge
    from phosphene.families.gan.projected import ProjectedDiscriminator

    return ProjectedDiscriminator(
        zoo.load(recipe.features),
        config.sides,
        num_classes=config.num_classes,
        num_heads=opponent.projected_heads,
        width=opponent.projected_width,
        size=opponent.projected_size,
    )


def _augment(opponent: Opponent) -> Augment:
    if opponent.augment == "ada":
        return AdaptiveAugment(opponent.ada_target, opponent.ada_kimg)
    return DiffAugment(opponent.policy) if opponent.augment == "diffaugment" else NoAugment()
