import pytest
import torch

from phosphene.core.errors import Diverged, Unsupported
from phosphene.prompting.optimise import Optimisation
from phosphene.studio.artifact import read_artifact
from phosphene.studio.craft import Painted
from phosphene.studio.imagine import imagine
from phosphene.studio.replay import replay
from tests.studio.fakes import tiny
from tests.studio.paintbox import box_recipe, paintbox


def finished(steps) -> list[Painted]:
    return [step for step in steps if isinstance(step, Painted)]


def pixels(folder) -> list[str]:
    """What the PNGs of a folder show."""
    return [read_artifact(p).manifest.pixel_sha256 for p in sorted(folder.glob("*.png"))]


def test_pictures_come_one_after_another(zoo):
    steps = list(imagine(tiny(count=3), zoo))
    assert [step.index for step in steps] == list(range(21))
    assert {step.total for step in steps} == {21}
    assert [step.index for step in finished(steps)] == [6, 13, 20]
    assert [step.artifact.manifest.seed for step in finished(steps)] == [7, 8, 9]


def test_frames_and_video_do_not_change_the_picture(zoo, tmp_path):
    plain = finished(imagine(tiny(), zoo))[0].artifact
    list(imagine(tiny(video="gif", save_every=1), zoo, folder=tmp_path / "run"))
    assert pixels(tmp_path / "run") == [plain.manifest.pixel_sha256]


def test_the_same_recipe_gives_the_same_file(zoo, tmp_path):
    for name in ("a", "b"):
        list(imagine(tiny(), zoo, folder=tmp_path / name))
    a, b = (tmp_path / name / "green-heart-flat-7.png" for name in ("a", "b"))
    assert a.read_bytes() == b.read_bytes()


def test_closing_keeps_the_best_so_far(zoo, tmp_path):
    steps = imagine(tiny(iterations=9, count=2), zoo, folder=tmp_path)
    for _ in range(4):
        next(steps)
    steps.close()
    kept = read_artifact(tmp_path / "green-heart-flat-7.png")
    assert kept.manifest.iterations == 4
    list(imagine(kept.manifest.recipe, zoo, folder=tmp_path, resume=True))
    assert [read_artifact(p).manifest.iterations for p in tmp_path.glob("*.png")] == [9, 9]


def test_what_there_is_to_know_is_noted_once(zoo, tmp_path, monkeypatch):
    monkeypatch.setattr("phosphene.studio.record.CHECKPOINT_SECONDS", 0.0)
    steps = imagine(tiny(count=2), zoo, folder=tmp_path)
    assert [next(steps).notes for _ in range(3)] == [(), (), ()]
    steps.close()
    complete = read_artifact(tmp_path / "green-heart-flat-7.png").manifest.recipe
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(before + 1)
        first, *rest = imagine(complete, zoo, folder=tmp_path, resume=True)
    finally:
        torch.set_num_threads(before)
    assert len(first.notes) == 1
    assert {step.notes for step in rest} == {()}


def test_closing_before_the_first_iteration_leaves_no_picture(zoo, tmp_path):
    steps = imagine(tiny(), zoo, folder=tmp_path)
    steps.close()
    assert not list(tmp_path.iterdir())


def test_divergence_keeps_the_last_good_picture(zoo, tmp_path, monkeypatch):
    real = Optimisation.step

    def step(self):
        if self.index == 2:
            raise Diverged("the loss stopped being finite at iteration 2")
        return real(self)

    monkeypatch.setattr(Optimisation, "step", step)
    with pytest.raises(Diverged):
        list(imagine(tiny(), zoo, folder=tmp_path))
    assert read_artifact(tmp_path / "green-heart-flat-7.png").manifest.iterations == 2


def test_a_mistake_found_late_leaves_nothing_behind(zoo, tmp_path):
    with pytest.raises(Unsupported):
        list(imagine(tiny(start="retrieval"), zoo, folder=tmp_path / "run"))
    assert not list(tmp_path.iterdir())


def test_a_run_goes_on_in_its_second_picture(zoo, tmp_path, monkeypatch):
    monkeypatch.setattr("phosphene.studio.record.CHECKPOINT_SECONDS", 0.0)
    recipe = tiny(count=2, save_every=2)
    list(imagine(recipe, zoo, folder=tmp_path / "whole"))
    steps = imagine(recipe, zoo, folder=tmp_path / "part")
    for _ in range(10):
        last = next(steps)
    assert last.index == 9
    steps.close()
    complete = read_artifact(tmp_path / "part" / "green-heart-flat-7.png").manifest.recipe
    resumed = list(imagine(complete, zoo, folder=tmp_path / "part", resume=True))
    assert resumed[0].index == 10
    files = [sorted(p for p in (tmp_path / n).rglob("*") if p.is_file()) for n in ("whole", "part")]
    assert [p.name for p in files[0]] == [p.name for p in files[1]]
    assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]


@pytest.mark.slow
def test_a_picture_takes_the_same_alternative_alone_and_among_others(zoo, tmp_path):
    prompt = "{red|green|blue} {apple|heart}"
    many = finished(imagine(tiny(prompt, count=4), zoo, folder=tmp_path / "many"))
    for i, step in enumerate(many):
        (alone,) = finished(imagine(tiny(prompt, seed=7 + i), zoo))
        plain = alone.artifact.manifest.prompt
        (spelled,) = finished(imagine(tiny(plain, seed=7 + i), zoo))
        hashes = {s.artifact.manifest.pixel_sha256 for s in (step, alone, spelled)}
        assert len(hashes) == 1
        assert step.artifact.manifest.prompt == plain
        assert spelled.artifact.manifest.prompt == ""  # the recipe has it
    assert len({step.artifact.manifest.prompt for step in many}) > 1


def test_all_alternatives_are_painted_and_each_replays(zoo, tmp_path):
    recipe = tiny("{red|blue} apple | {|neon}", alternatives="all", save_every=3)
    steps = list(imagine(recipe, zoo, folder=tmp_path))
    assert [step.index for step in steps] == list(range(4 * 7))
    assert {step.total for step in steps} == {4 * 7}
    manifests = [step.artifact.manifest for step in finished(steps)]
    assert [m.prompt for m in manifests] == [
        "red apple | ",
        "red apple | neon",
        "blue apple | ",
        "blue apple | neon",
    ]
    assert {m.seed for m in manifests} == {7}
    names = [f"red-blue-apple-neon-7-{i}.png" for i in (1, 2, 3, 4)]
    assert sorted(path.name for path in tmp_path.glob("*.png")) == names
    frames = [path.name for path in (tmp_path / "frames").iterdir()]
    assert sorted(frames) == ["7-1", "7-2", "7-3", "7-4"]
    for path in (tmp_path / names[2], tmp_path / "frames" / "7-4" / "000003.png"):
        assert replay(path, zoo).identical


def test_words_in_brackets_change_the_picture_and_a_weight_of_1_does_not(zoo, tmp_path):
    models = paintbox(tmp_path)

    def made(prompt, **fields):
        recipe = box_recipe(models, prompt=prompt, seed=7, **fields)
        return finished(imagine(recipe, zoo))[0].artifact.manifest.pixel_sha256

    plain, redder = made("a red blue | pink"), made("a (red:1.5) blue | pink")
    assert made("a (red:1) blue | pink") == plain
    assert redder != plain
    text = made("a (red:1.5) blue | pink", emphasis=False)
    assert text not in (plain, redder)
    assert made(r"a \(red:1.5\) blue | pink") == text
    assert made("a (red:1.5) blue | pink", emphasis=True) == redder
