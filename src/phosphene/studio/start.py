"""Where the search for a picture starts: the table of strategies."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F

from phosphene.core.errors import RecipeError, Unsupported
from phosphene.core.latent import Latent, Space
from phosphene.core.protocols import Commission, Illustrator
from phosphene.core.rng import Rng
from phosphene.core.runtime import painting_dtype
from phosphene.prompting.emphasis import Span, Spans
from phosphene.prompting.flow import NUM_COPIES, draw
from phosphene.prompting.optimise import Optimisation
from phosphene.prompting.sketches import Sketchbook, extend
from phosphene.prompting.steering import Steered
from phosphene.prompting.weighing import embed_words
from phosphene.studio.easel import spans_of
from phosphene.studio.methods import Canvas
from phosphene.studio.stage import Stage
from phosphene.zoo import Zoo

TEXT = "minilm"  # reads their captions
NUM_SKETCHES = 8  # near ones, of which the perceptors choose
CAPTION_WEIGHT = 4.0  # of a caption's cosine beside the perceptors' loss
NUM_TRIES = 4
TRIAL_ITERATIONS = 10
CLOUDS = 4
CLOUD_CONTRAST = 0.1  # deviation of a patch's colour, of a range of 2
NUM_DRAWS = 128  # of a generator that is steered, of which the perceptors choose
DRAWS_AT_ONCE = 16

Strategy = Callable[[Stage, Zoo, Rng], Latent]


def start(stage: Stage, zoo: Zoo, rng: Rng) -> Latent:
    """Return the latent that the optimisation of one picture starts from: a batch of one.

    Raises:
        RecipeError: the strategy needs what the recipe or the model does not have.
    """
    wanted, strategies = stage.recipe.start, STRATEGIES[stage.recipe.chosen_method]
    if wanted not in strategies:
        known = ", ".join(strategies)
        raise RecipeError(
            f"start: {stage.recipe.chosen_method} has no {wanted!r}; it can be {known}"
        )
    return strategies[wanted](stage, zoo, rng)


def _auto(stage: Stage, zoo: Zoo, rng: Rng) -> Latent:
    """The init image if there is one, else a sketch if the model has some, else noise."""
    if stage.init is not None:
        return _image(stage, zoo, rng)
    return _seek(stage, zoo)(stage, zoo, rng)


def _seek(stage: Stage, zoo: Zoo) -> Strategy:
    """How a start is found for lack of a better one."""
    return _retrieval if _asked(stage) and sketchbook_of(stage, zoo) is not None else _codebook


def _asked(stage: Stage) -> list[Spans]:
    """What the first scene asks for in words, by phrase; none if it asks by pictures alone."""
    return [p.words for p in stage.story.scenes[0] if p.text is not None and p.pull > 0]


def _image(stage: Stage, zoo: Zoo, rng: Rng) -> Latent:
    """The init image's codes."""
    with torch.no_grad():
        return stage.canvas.encode(stage.init_images())


def _codebook(stage: Stage, zoo: Zoo, rng: Rng) -> Latent:
    """Codebook entries drawn at random, as the classic script does."""
    vocabulary = stage.canvas.spec.vocab
    assert vocabulary is not None
    tokens = rng.fork("codebook").integers(*stage.grid, high=vocabulary)
    tokens = tokens.to(stage.device)
    with torch.no_grad():
        return stage.canvas.lookup(Latent(Space.TOKENS, tokens))


def _clouds(stage: Stage, zoo: Zoo, rng: Rng) -> Latent:
    """A picture of soft patches of colour, in which shapes are easier found than in noise."""
    height, width = stage.painted
    patches = rng.fork("clouds").normal(3, *_coarse(height, width)) * CLOUD_CONTRAST
    picture = F.interpolate(patches, (height, width), mode="bicubic").clamp(-1, 1)
    with torch.no_grad():
        return stage.canvas.encode(picture.to(stage.device))


def _flow(stage: Stage, zoo: Zoo, rng: Rng) -> Latent:
    """A sketch that the perceptors draw by themselves, from white."""
    height, width = stage.painted
    side = min(gaze.cutouts.size for gaze in stage.gazes)
    scale = min(side / min(height, width), 1.0)
    rows, columns = (max(1, round(n * scale)) for n in (height, width))
    objective = stage.first_glance(Rng(rng.seeds * NUM_COPIES, rng.purpose))
    sketch = draw(
        lambda images: objective(images.to(stage.device)), rows, columns, rng.fork("flow")
    )
    picture = F.interpolate(sketch, (height, width), mode="bicubic").clamp(-1, 1)
    with torch.no_grad():
        return stage.canvas.encode(picture.to(stage.device))


def _draft(stage: Stage, zoo: Zoo, rng: Rng) -> Latent:
    """A picture that another model paints from the same words."""
    name = stage.recipe.drafter
    drafter = zoo.load(name, stage.device, painting_dtype(stage.device))
    if not isinstance(drafter, Illustrator):
        raise Unsupported(f"drafter: {name[:80]!r} does not paint from words by itself")
    said, away = spans_of(stage.story, judged=True)
    if not said:
        raise RecipeError("start: 'draft' is painted from words, and the prompt has pictures alone")
    habits = drafter.habits
    commission = Commission(
        spans=said,
        negative_prompt=away,
        height=habits.height,
        width=habits.width,
        steps=habits.steps or 1,
        guidance_scale=habits.guidance_scale,
        sampler=habits.sampler or "",
        # nobody judges drafts: the search does
        choice=None if habits.choice is None else replace(habits.choice, num_candidates=1),
        drawing=rng.fork("draft"),
    )
    *_, last = drafter.illustrate(commission, rng.fork("draft"))
    assert last.images is not None
    with torch.no_grad():
        return stage.canvas.encode(extend(last.images, *stage.painted).to(stage.device))


def _coarse(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of patches: about `CLOUDS` along the shorter side."""
    side = min(height, width) / CLOUDS
    return max(1, round(height / side)), max(1, round(width / side))


def _retrieval(stage: Stage, zoo: Zoo, rng: Rng) -> Latent:
    """Of the sketches whose captions are near the first scene's words, the one that fits best.

    The first phrase names the thing, the others how it looks; looks are what the optimisation is
    good at, so the thing counts twice.
    """
    book = sketchbook_of(stage, zoo)
    if book is None:
        raise Unsupported(
            f"start: no sketches come with {stage.recipe.model_name[:80]!r}; "
            "use 'codebook' or 'best-of'"
        )
    phrases = _asked(stage)
    if not phrases:
        raise RecipeError("start: 'retrieval' looks for words, and the prompt has pictures alone")
    whole = [span for words in phrases for span in (*words, Span(", "))][:-1]
    encode = zoo.load(TEXT).encode
    target = embed_words(encode, [phrases[0], tuple(whole)]).mean(dim=0).cpu()
    canvas = stage.canvas
    with torch.no_grad():
        near = book.choose(target, rng, NUM_SKETCHES)[0]
        images = extend(book.paint(near, canvas), *stage.painted)
        objective = stage.verdict(Rng(rng.seeds * len(images), rng.purpose))
        losses = objective(images.to(stage.device)).cpu()
        best = int((losses - CAPTION_WEIGHT * book.embeddings[near].float() @ target).argmin())
        return canvas.encode(images[best : best + 1])


def _best_of(stage: Stage, zoo: Zoo, rng: Rng) -> Latent:
    """Several starts that go a few iterations; the one that fits best so far goes on."""
    if isinstance(stage.decoder, Steered):
        latent = _fitting(stage, stage.decoder, rng, NUM_TRIES)
    else:
        seek = _seek(stage, zoo)
        starts = [seek(stage, zoo, rng.fork(f"try {i}")) for i in range(NUM_TRIES)]
        latent = starts[0].with_data(torch.cat([s.data for s in starts]))
    objective = stage.objective(Rng(rng.seeds * NUM_TRIES, rng.purpose))
    assert isinstance(stage.decoder, Canvas | Steered)
    trial = Optimisation(stage.decoder, latent, objective, stage.settings)
    for _ in range(TRIAL_ITERATIONS):
        trial.step()
    with torch.no_grad():
        verdict = stage.verdict(Rng(rng.seeds * NUM_TRIES, rng.purpose))
        best = int(verdict(trial.paint()).argmin())
    return trial.latent.with_data(trial.latent.data[best : best + 1].detach())


def _draw(stage: Stage, zoo: Zoo, rng: Rng) -> Latent:
    """The picture that `sample` gives for the seed."""
    assert isinstance(stage.decoder, Steered)
    return stage.decoder.draw(Rng(rng.seeds, "/sample"))


def _drawn(stage: Stage, zoo: Zoo, rng: Rng) -> Latent:
    """Of many draws the one that fits best."""
    assert isinstance(stage.decoder, Steered)
    return _fitting(stage, stage.decoder, rng, 1)


@torch.no_grad()
def _fitting(stage: Stage, decoder: Steered, rng: Rng, count: int) -> Latent:
    """The `count` best of `NUM_DRAWS` draws, the best first; whole pictures are judged."""
    drawn = [decoder.draw(rng.fork(f"draw {i}")).data for i in range(NUM_DRAWS)]
    rows = torch.cat(drawn).to(stage.device)
    losses = [
        stage.first_glance(Rng(rng.seeds * len(part), rng.purpose))(
            decoder.decode(Latent(Space.STEERED, part)).clamp(-1, 1)
        ).cpu()
        for part in torch.split(rows, DRAWS_AT_ONCE)
    ]
    best = torch.cat(losses).argsort(stable=True)[:count]
    return Latent(Space.STEERED, rows[best.to(rows.device)])


STRATEGIES: dict[str, dict[str, Strategy]] = {
    "vqgan-clip": {
        "auto": _auto,
        "image": _image,
        "codebook": _codebook,
        "clouds": _clouds,
        "draft": _draft,
        "flow": _flow,
        "retrieval": _retrieval,
        "best-of": _best_of,
    },
    "gan-clip": {"auto": _drawn, "draw": _draw, "best-of": _best_of},
}


def sketchbook_of(stage: Stage, zoo: Zoo) -> Sketchbook | None:
    """Load the sketches of the recipe's model, where it has some."""
    if stage.sketches is None:
        return None
    book: Any = zoo.load(stage.sketches)
    assert isinstance(book, Sketchbook)
    return book
