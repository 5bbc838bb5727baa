import signal

import pytest
import torch

from phosphene.core.errors import DeviceError, Unsupported
from phosphene.core.team import Team
from phosphene.studio.artifact import read_artifact
from phosphene.studio.craft import Painted
from phosphene.studio.recipe import Sample
from phosphene.studio.run import run
from phosphene.zoo import Zoo
from tests.studio import processes
from tests.studio.fakes import tiny


def test_a_recipe_goes_in_and_steps_come_out(zoo):
    steps = list(run(tiny(iterations=2), zoo))
    assert [step.index for step in steps] == [0, 1, 2]
    assert isinstance(steps[-1], Painted)


def test_a_seed_is_drawn_if_none_is_given(zoo):
    last = list(run(tiny(iterations=1, seed=None), zoo))[-1]
    assert last.artifact.manifest.recipe.seed == last.artifact.manifest.seed >= 0


def test_no_such_device(zoo):
    with pytest.raises(DeviceError, match="no device 'cudda'"):
        next(run(tiny(), zoo, device="cudda"))


def test_out_of_memory_is_one_line(zoo, monkeypatch):
    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr("phosphene.prompting.optimise.Optimisation.step", full)
    with pytest.raises(DeviceError, match="smaller size"):
        list(run(tiny(), zoo))


def test_gradients_can_be_switched_off_outside(zoo):
    with torch.no_grad():
        inside = list(run(tiny(iterations=2), zoo))[-1]
        assert not torch.is_grad_enabled()
    outside = list(run(tiny(iterations=2), zoo))[-1]
    assert torch.equal(inside.images, outside.images)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_file(home, tmp_path):
    recipe = ["--model", "tiny-vqgan", "--set", "perceptors=tiny-judge", "--set", "num_cutouts=2"]
    recipe += ["--size", "20", "16", "--seed", "7", "-i", "60", "-n", "2", "--set", "zoom.every=5"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    killed.mkdir()
    whole.mkdir()
    process = processes.start(["imagine", "a ^ b", *recipe], killed, home)
    processes.hit(process, signal.SIGKILL, "checkpoint.safetensors", killed)
    assert process.returncode == -signal.SIGKILL
    (folder,) = killed.glob("phosphene-runs/*")
    resumed = processes.run(["imagine", "--resume", str(folder)], killed, home)
    assert resumed.returncode == 0, resumed.stderr
    straight = processes.run(["imagine", "a ^ b", *recipe], whole, home)
    assert straight.returncode == 0, straight.stderr
    assert resumed.stdout == straight.stdout
    for name in resumed.stdout.split():
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    assert read_artifact(killed / "a-b-8.png").manifest.index == 1
    assert not (killed / "phosphene-runs").exists()


def test_a_team_is_for_what_several_processes_can_share(home):
    with pytest.raises(Unsupported, match="one process carries this recipe out, not 2"):
        next(run(Sample(), Zoo(home), team=Team(0, 2)))
