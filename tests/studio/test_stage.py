import hashlib

import pytest
import torch

from phosphene.core.errors import ImageError, RecipeError, UnknownModel, Unsupported, WeightsError
from phosphene.core.images import Images, save_png
from phosphene.core.rng import Rng
from phosphene.core.runtime import painting_dtype
from phosphene.studio.defaults import Defaults
from phosphene.studio.stage import set_stage
from phosphene.zoo import Zoo
from tests.studio.fakes import make_zoo, tiny


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    save_png(torch.linspace(-1, 1, 3 * 40 * 20).view(3, 40, 20), path)
    return str(path)


def test_a_stage_completes_the_recipe(zoo):
    recipe = tiny(iterations=None, num_cutouts=None, width=None, height=None)
    complete = set_stage(recipe, zoo).recipe
    default = Defaults()
    assert complete.iterations == default.iterations
    assert complete.num_cutouts == default.num_cutouts
    assert (complete.width, complete.height) == (16, 16)  # the size on the model's card
    assert complete.learning_rate == default.learning_rate
    assert complete.story_every == default.iterations
    assert set_stage(complete, zoo).recipe == complete


def test_what_is_given_is_kept(zoo):
    recipe = tiny("a ^ b ^ c", iterations=8, learning_rate=0.3, width=32)
    complete = set_stage(recipe, zoo).recipe
    assert (complete.iterations, complete.learning_rate, complete.width) == (8, 0.3, 32)
    assert complete.story_every == 3  # each scene gets its share, rounded up


def test_any_size_is_cut_from_the_grid(zoo):
    stage = set_stage(tiny(width=33, height=20), zoo)
    assert stage.grid == (5, 9)
    painted = torch.arange(20 * 36.0).view(1, 1, 20, 36)
    assert torch.equal(stage.crop(painted), painted[..., 1:34])


def test_hashes_of_all_that_took_part(zoo, photo):
    stage = set_stage(tiny(f"a | {photo}", init_image=photo), zoo)
    models = stage.surroundings.models
    assert set(models) == {"tiny-vqgan", "tiny-judge"}
    assert all(len(sha256) == 64 for sha256 in models.values())
    with open(photo, "rb") as file:
        assert stage.surroundings.inputs == {photo: hashlib.sha256(file.read()).hexdigest()}


def test_image_prompts_join_every_scene(zoo, photo):
    stage = set_stage(tiny("a ^ b", image_prompts=(f"{photo}:0.5",)), zoo)
    for scene in stage.story.scenes:
        assert scene[-1].image == photo
        assert scene[-1].weight == 0.5


def test_a_story_changes_scene_and_loops(zoo):
    stage = set_stage(tiny("a ^ b", story_every=2, cut_noise=0.0, cut_policy="whole"), zoo)
    objective = stage.objective(Rng((7,)))
    images = Rng((1,)).uniform(3, 16, 16)
    losses = [float(objective(index)(images)) for index in range(6)]
    assert losses == pytest.approx([losses[0]] * 2 + [losses[2]] * 2 + [losses[0]] * 2)
    assert losses[0] != pytest.approx(losses[2])


def test_cutouts_show_the_whole_first_and_parts_later(zoo):
    images = Rng((1,)).uniform(3, 16, 16)

    def losses(smallest: str) -> list[float]:
        recipe = tiny(cut_overview="0:1, 2:1, 3:0", cut_smallest=smallest, cut_noise=0.0)
        objective = set_stage(recipe, zoo).objective(Rng((7,)))
        return [float(objective(index)(images)) for index in range(5)]

    large, small, shrinking = losses("1"), losses("0.2"), losses("3:1, 4:0.2")
    assert large[:3] == small[:3] == shrinking[:3]  # all views are whole: there is no other
    assert large[3] != small[3]
    assert shrinking[3:] == [large[3], small[4]]


def test_few_are_judged_as_at_the_end(zoo):
    recipe = tiny(cut_overview="0:1, 9:0", cut_smallest="0:0.9, 9:0.2", iterations=10)
    (gaze,) = set_stage(recipe, zoo).gazes
    assert (gaze.cutouts.overview, gaze.cutouts.smallest) == (0.0, 0.2)


def test_the_pull_is_least_at_the_init_image(zoo, photo):
    def loss(images: Images, **fields: object) -> float:
        stage = set_stage(tiny(init_image=photo, cut_noise=0.0, **fields), zoo)
        return float(stage.objective(Rng((7,)))(0)(images))

    at_home = set_stage(tiny(init_image=photo), zoo).init_images()
    away = -at_home
    assert loss(at_home, init_weight=5.0) == pytest.approx(loss(at_home))
    assert loss(away, init_weight=5.0) > loss(away) + 1


def test_roughness_is_penalised(zoo):
    rough = torch.ones(1, 3, 16, 16)
    rough[..., ::2] = -1

    def loss(images: Images, weight: float) -> float:
        stage = set_stage(tiny(tv_weight=weight), zoo)
        return float(stage.objective(Rng((7,)))(0)(images))

    assert loss(rough, 1.0) == pytest.approx(loss(rough, 0.0) + 3 * 4 * 15 / 16 / 3, rel=0.01)
    assert loss(torch.zeros_like(rough), 1.0) == loss(torch.zeros_like(rough), 0.0)


def test_several_perceptors_with_weights(zoo):
    images = Rng((1,)).uniform(3, 16, 16)

    def loss(*perceptors: str) -> float:
        stage = set_stage(tiny(perceptors=perceptors), zoo)
        return float(stage.objective(Rng((7,)))(0)(images))

    assert loss("tiny-judge:0.5", "tiny-judge") == pytest.approx(1.5 * loss("tiny-judge"))


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"prompt": " | ^ :"}, None, None),
        ({"prompt": " | ^ |"}, RecipeError, "has no words"),
        ({"prompt": "a:0"}, RecipeError, "weights are 0"),
        ({"model": "tiny-vqgn"}, UnknownModel, "did you mean 'tiny-vqgan'"),
        ({"model": "tiny-judge"}, Unsupported, "cannot paint"),
        ({"perceptors": ("tiny-juge",)}, UnknownModel, "did you mean 'tiny-judge'"),
        ({"perceptors": ("tiny-vqgan",)}, Unsupported, "no perceptor"),
        ({"perceptors": ("tiny-judge:0",), "tv_weight": 0.0}, None, None),
        ({"init_image": "none.png"}, ImageError, "no image at"),
        ({"init_weight": 1.0}, RecipeError, "needs an init_image"),
        ({"image_prompts": ("none.png:2",)}, ImageError, "no image at"),
        ({"prompt": "a | none.png"}, ImageError, "no image at"),
    ],
)
def test_mistakes(zoo, fields, error, said):
    fields = dict(fields)
    recipe = tiny(fields.pop("prompt", "x"), **fields)
    if error is None:
        set_stage(recipe, zoo)
        return
    with pytest.raises(error, match=said) as caught:
        set_stage(recipe, zoo)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["wrong", "truncated", "gone"])
def test_damaged_weights(tmp_path, damage):
    home = make_zoo(tmp_path).home
    path = home / "models" / "tiny-vqgan" / "model.safetensors"
    content = path.read_bytes()
    match damage:
        case "wrong":
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        case "truncated":
            path.write_bytes(content[: len(content) // 2])
        case "gone":
            path.unlink()
    with pytest.raises(WeightsError) as caught:
        set_stage(tiny(), Zoo(home))
    assert "\n" not in str(caught.value)


def test_only_the_latent_learns(zoo):
    stage = set_stage(tiny(), zoo)
    assert not any(p.requires_grad for p in stage.decoder.parameters())
    native = str(painting_dtype(torch.device("cpu"))).removeprefix("torch.")
    assert stage.surroundings.platform.dtype == native


@pytest.mark.parametrize(
    "fields", [{"negative_prompt": "dull"}, {"guidance_scale": 3.0}, {"mask": "a.png"}]
)
def test_fields_of_denoisers_are_refused(zoo, fields):
    with pytest.raises(RecipeError, match=f"{next(iter(fields))}: vqgan-clip does not denoise"):
        set_stage(tiny("fox", **fields), zoo)


@pytest.mark.parametrize("fields", [{"temperature": 0.5}, {"top_k": 0}, {"num_candidates": 2}])
def test_fields_of_tokens_are_refused(zoo, fields):
    with pytest.raises(RecipeError, match=f"{next(iter(fields))}: vqgan-clip draws no tokens"):
        set_stage(tiny("fox", **fields), zoo)
