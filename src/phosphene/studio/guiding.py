"""Guided diffusion of one picture: words for the denoiser, perceptors that push it."""

from dataclasses import replace

from phosphene.core.rng import Rng
from phosphene.families.diffusion.guided import GuidedSampling, Guiding
from phosphene.studio.easel import commission_of, spans_of
from phosphene.studio.methods import Guide
from phosphene.studio.stage import Stage


def sampling_of(stage: Stage, rng: Rng) -> GuidedSampling:
    """The sampling of the stage's picture, at its beginning.

    Args:
        rng: Of the picture's seed.
    Raises:
        Unsupported: a story.
    """
    recipe, model = stage.recipe, stage.decoder
    assert isinstance(model, Guide)
    assert recipe.iterations is not None
    assert recipe.push is not None
    assert recipe.rounds is not None
    assert recipe.look_every is not None
    asked = recipe.model_copy(update={"sampler": model.habits.sampler})
    said, away = spans_of(stage.story, judged=True)
    init = None if stage.init is None else stage.init_images()
    commission = commission_of(asked, stage.seed, said or (("", 1.0),), away)
    settings = Guiding(
        steps=recipe.iterations,
        push=recipe.push,
        rounds=recipe.rounds,
        look_every=recipe.look_every,
        strength=recipe.strength,
        symmetry=recipe.symmetry,
    )
    return GuidedSampling(
        model.told(replace(commission, init=init)),
        stage.objective(rng.fork("objective")),
        rng,
        settings,
        init,
    )
