import pytest
import torch

from phosphene.core.errors import CheckpointError, RecipeError, StorageError
from phosphene.core.images import save_png
from phosphene.studio import record as module
from phosphene.studio.artifact import read_artifact
from phosphene.studio.painting import Painting
from phosphene.studio.record import FolderRecord, NoRecord, record_of
from phosphene.studio.stage import set_stage
from phosphene.training.checkpoint import save_state
from tests.studio.fakes import make_zoo, tiny


@pytest.fixture
def at_once(monkeypatch):
    """Write checkpoint and preview after every step."""
    monkeypatch.setattr(module, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(module, "PREVIEW_SECONDS", 0.0)


def paint(zoo, path, stop=None, resume=False, **fields) -> tuple[FolderRecord, Painting]:
    """Paint the first picture of a recipe into a folder."""
    stage = set_stage(tiny(**fields), zoo)
    record = record_of(path, stage.recipe, stage.surroundings, resume)
    painting = Painting(stage, zoo, 0)
    record.open(painting)
    for step in painting.steps(stop):
        record.note(painting, step)
    return record, painting


def test_nothing_is_written_before_a_picture_is_begun(zoo, tmp_path):
    stage = set_stage(tiny(), zoo)
    record = record_of(tmp_path / "run", stage.recipe, stage.surroundings, resume=False)
    assert not (tmp_path / "run").exists()
    record.open(Painting(stage, zoo, 0))
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["recipe.json"]


def test_frames_show_the_picture_after_so_many_iterations(zoo, tmp_path):
    record, painting = paint(zoo, tmp_path, save_every=2)
    record.keep(painting.artifact())
    frames = record.folder.frames(7)
    assert [int(frame.stem) for frame in frames] == [0, 2, 4, 6]
    record.close()
    assert record.folder.frames(7) == frames
    final = (tmp_path / "green-heart-flat-7.png").read_bytes()
    assert frames[-1].read_bytes() == final
    for frame in frames:
        manifest = read_artifact(frame).manifest
        assert manifest.recipe == record.recipe
        assert (manifest.seed, manifest.iterations) == (7, int(frame.stem))
        assert manifest.frame == (manifest.iterations < 6)


@pytest.mark.parametrize(
    ("fields", "every"),
    [
        ({}, None),
        ({"save_every": 3}, 3),
        ({"zoom": {"every": 5}}, 5),
        ({"zoom": {"every": 5}, "save_every": 2}, 2),
        ({"video": "gif", "iterations": 600}, 5),
        ({"video": "gif", "iterations": 6}, 1),
    ],
)
def test_how_often_frames_are_saved(zoo, tmp_path, fields, every):
    stage = set_stage(tiny(**fields), zoo)
    record = record_of(tmp_path, stage.recipe, stage.surroundings, resume=False)
    assert record.frame_every == every


def test_the_frames_of_a_video_alone_are_removed_in_the_end(zoo, tmp_path):
    record, painting = paint(zoo, tmp_path, video="gif")
    record.keep(painting.artifact())
    record.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "green-heart-flat-7.gif",
        "green-heart-flat-7.png",
        "recipe.json",
    ]


def test_checkpoint_and_preview(zoo, tmp_path, at_once):
    record, _ = paint(zoo, tmp_path, stop=3)
    assert record.folder.preview.is_file()
    resumed, painting = paint(zoo, tmp_path, stop=0, resume=True)
    assert resumed.first() == 0
    assert painting.iterations == 3
    resumed.close()
    assert [p.name for p in tmp_path.iterdir()] == ["recipe.json"]


def stopped(zoo, path, **fields) -> None:
    """Leave a run in the middle of its first picture."""
    paint(zoo, path, stop=3, **fields)
    assert (path / "checkpoint.safetensors").is_file()


@pytest.mark.parametrize("field", ["init_image", "image_prompts"])
def test_a_picture_that_changed_is_refused(zoo, tmp_path, at_once, field):
    photo, run = tmp_path / "photo.png", tmp_path / "run"
    save_png(torch.zeros(3, 16, 16), photo)
    fields = {field: str(photo)}
    stopped(zoo, run, **fields)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    save_png(torch.ones(3, 16, 16), photo)
    with pytest.raises(
        RecipeError, match=r"photo\.png' has changed: sha256 .*; .* begin a new run"
    ):
        paint(zoo, run, resume=True, **fields)
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    save_png(torch.zeros(3, 16, 16), photo)
    resumed, painting = paint(zoo, run, stop=3, resume=True, **fields)
    assert (resumed.cautions, painting.iterations) == ((), 3)


def test_weights_that_changed_are_refused(tmp_path, at_once):
    run = tmp_path / "run"
    stopped(make_zoo(tmp_path / "home"), run)
    with pytest.raises(RecipeError, match=r"model 'tiny-judge' has changed.* \(and 1 more\)"):
        paint(make_zoo(tmp_path / "home", seed=1), run, resume=True)


def test_another_number_of_threads_is_noted(zoo, tmp_path, at_once):
    stopped(zoo, tmp_path)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(before + 1)
        resumed, painting = paint(zoo, tmp_path, stop=3, resume=True)
    finally:
        torch.set_num_threads(before)
    assert painting.iterations == 3
    (line,) = resumed.cautions
    assert f"threads: made with {before}, here {before + 1}" in line


@pytest.mark.parametrize("state", [{}, {"number": 0}, {"surroundings": {"models": 3}}])
def test_a_checkpoint_of_something_else(zoo, tmp_path, state):
    save_state(tmp_path / "checkpoint.safetensors", {**state, "some": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="delete it to begin anew"):
        paint(zoo, tmp_path, resume=True)


def test_a_stopped_picture_is_kept_without_a_video(zoo, tmp_path):
    record, painting = paint(zoo, tmp_path, stop=2, video="mp4")
    record.keep(painting.artifact(), finished=False)
    kept = read_artifact(tmp_path / "green-heart-flat-7.png")
    assert kept.manifest.iterations == 2
    assert not list(tmp_path.glob("*.mp4"))


def test_another_run_is_not_overwritten(zoo, tmp_path):
    paint(zoo, tmp_path)
    with pytest.raises(StorageError, match="another run"):
        paint(zoo, tmp_path)
    with pytest.raises(StorageError, match="another run"):
        paint(zoo, tmp_path, resume=True, tv_weight=1.0)


def test_no_record_writes_nothing(zoo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stage = set_stage(tiny(save_every=1, video="gif"), zoo)
    record = record_of(None, stage.recipe, stage.surroundings, resume=False)
    painting = Painting(stage, zoo, 0)
    assert isinstance(record, NoRecord)
    assert record.first() == 0
    record.open(painting)
    for step in painting.steps(1):
        record.note(painting, step)
    record.keep(painting.artifact())
    record.close()
    assert not list(tmp_path.iterdir())
