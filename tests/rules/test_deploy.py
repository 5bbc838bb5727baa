"""deploy/ agrees with the program: neither systemd nor a container engine runs in the tests.

What can be checked without them is: files are read, their commands are parsed by phosphene itself,
and the health check is carried out. `systemd-analyze` is asked where it is installed.
"""

import configparser
import fnmatch
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
from packaging.specifiers import SpecifierSet

from phosphene.cli.app import app
from phosphene.cli.serve import PORT, SHUTDOWN_SECONDS, guard_of
from phosphene.core.errors import RecipeError
from phosphene.studio.supervisor import GRACE_SECONDS
from tests.rules.syntax import ROOT
from tests.rules.test_docs import broken_links
from tests.web.live import live

DEPLOY = ROOT / "deploy"
UNIT, DOCKERFILE = DEPLOY / "phosphene.service", DEPLOY / "Dockerfile"
IGNORED = DEPLOY / "Dockerfile.dockerignore"
MAX_EXPOSURE = 2.0  # of systemd-analyze; 10 is a service that may do anything
HARDENED = (
    *("DynamicUser", "NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectKernelTunables"),
    *("ProtectKernelModules", "ProtectControlGroups", "RestrictSUIDSGID", "LockPersonality"),
    *("RestrictNamespaces", "ProtectHome"),
)


def unit() -> dict[str, str]:
    """The options of the service; an option that comes again adds to what was there."""
    read = configparser.RawConfigParser(strict=True, delimiters=("=",))
    read.optionxform = str  # type: ignore[assignment,method-assign]
    seen: dict[str, str] = {}
    text = re.sub(r"^Environment=(?=OMP)", "Environment2=", UNIT.read_text(), flags=re.MULTILINE)
    read.read_string(text)
    seen |= dict(read["Service"])
    seen["Environment"] += " " + seen.pop("Environment2", "")
    return seen


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, in order, continued lines joined."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    found = [line.partition(" ") for line in lines if line.strip()]
    return [(name, rest.strip()) for name, _, rest in found]


def last(name: str) -> str:
    return [rest for found, rest in instructions() if found == name][-1]


def options_of(arguments: list[str]) -> dict[str, Any]:
    """What phosphene makes of `serve ...`, without serving; fails if it would refuse it."""
    command, *rest = arguments
    assert command == "serve"
    group = typer.main.get_command(app)
    parsed = group.commands["serve"].make_context("serve", rest)  # type: ignore[attr-defined]
    return dict(parsed.params)


def served_by_unit() -> list[str]:
    program, *arguments = shlex.split(unit()["ExecStart"])
    assert program == "/opt/phosphene/bin/phosphene"
    return arguments


def served_by_image() -> list[str]:
    assert json.loads(last("ENTRYPOINT")) == ["phosphene"]
    arguments: list[str] = json.loads(last("CMD"))
    return arguments


@pytest.mark.parametrize("arguments", [served_by_unit, served_by_image])
def test_the_command_is_one_that_phosphene_takes(arguments):
    options = options_of(arguments())
    assert options["port"] == PORT
    assert options["log_format"] == "json"
    assert options["token"] is None  # never on a command line
    with pytest.raises(Exception, match=r"(?i)no such option"):
        options_of([*arguments(), "--no-such-option"])


def test_the_unit_is_bound_to_this_machine_and_keeps_to_its_folders():
    service = unit()
    options = options_of(served_by_unit())
    assert guard_of(options["host"], None).token is None  # it is local: it starts
    assert str(options["share_dir"]) == f"%S/{service['StateDirectory']}/studio"
    environment = dict(part.split("=", 1) for part in service["Environment"].split())
    assert environment["PHOSPHENE_HOME"] == f"%S/{service['StateDirectory']}/models"
    assert environment["XDG_CACHE_HOME"] == f"%C/{service['CacheDirectory']}"
    assert "PHOSPHENE_TOKEN" not in environment
    assert not service["EnvironmentFile"].startswith("-")  # a token that is not there is noticed


def test_the_unit_is_hardened_and_stops_in_time():
    service = unit()
    assert [name for name in HARDENED if service.get(name) != "yes"] == []
    assert (service["ProtectSystem"], service["CapabilityBoundingSet"]) == ("strict", "")
    assert (service["KillSignal"], service["KillMode"]) == ("SIGTERM", "mixed")
    assert int(service["TimeoutStopSec"]) > SHUTDOWN_SECONDS + GRACE_SECONDS
    assert int(re.findall(r"--stop-timeout (\d+)", (DEPLOY / "README.md").read_text())[0]) == int(
        service["TimeoutStopSec"]
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_finds_nothing_wrong(tmp_path):
    program = shutil.which("true")
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/phosphene/bin/phosphene", str(program)))
    assert analyze("verify", str(copy)) == (0, "")
    code, said = analyze("security", "--offline=true", "--no-pager", str(copy))
    found = re.search(r"Overall exposure level for phosphene.service: ([\d.]+)", said)
    assert code == 0
    assert found is not None
    assert float(found[1]) <= MAX_EXPOSURE
    assert f"exposure of {found[1]} of 10" in (DEPLOY / "README.md").read_text()
    copy.write_text(copy.read_text().replace("KillMode=mixed", "KillMode=sometimes"))
    assert "kill mode" in analyze("verify", str(copy))[1]


def analyze(*arguments: str) -> tuple[int, str]:
    ran = subprocess.run(
        ["systemd-analyze", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


def test_the_image_is_pinned():
    bases = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert len(set(bases)) == 1
    version = re.fullmatch(r"python:(\d+\.\d+)-slim", bases[0])
    assert version is not None
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert SpecifierSet(project["requires-python"]).contains(version[1])
    installs = [rest for name, rest in instructions() if "pip install" in rest]
    assert len(installs) == 1
    assert "-c constraints.txt" in installs[0]
    assert "--no-cache-dir" in installs[0]
    assert "https://download.pytorch.org/whl/cpu" in installs[0]
    wanted = re.findall(r'"\.\[(\w+)\]"', installs[0])
    assert {*wanted} <= {*project["optional-dependencies"]}
    assert re.search(r"^torch==", (ROOT / "constraints.txt").read_text(), re.MULTILINE)


def test_the_image_is_not_root_and_holds_no_secret():
    names = [name for name, _ in instructions()]
    assert last("USER") == "10001"
    assert "--uid 10001" in DOCKERFILE.read_text()
    assert names.index("USER") > max(i for i, name in enumerate(names) if name == "RUN")
    assert "ADD" not in names  # it unpacks, and fetches
    for name, rest in instructions():
        if name in ("ENV", "ARG"):
            assert not re.search(r"token|secret|password", rest, re.IGNORECASE)
    for exec_form in ("ENTRYPOINT", "CMD"):  # a shell would not pass SIGTERM on
        assert isinstance(json.loads(last(exec_form)), list)
    assert last("STOPSIGNAL") == "SIGTERM"


def test_the_image_keeps_what_it_should_in_its_volume():
    options = options_of(served_by_image())
    volume, environment = last("VOLUME"), dict(re.findall(r"(\w+)=(\S+)", last("ENV")))
    assert options["share_dir"] == Path(volume) / "studio"
    assert environment["PHOSPHENE_HOME"] == f"{volume}/models"
    assert f"phosphene:{volume}" in (DEPLOY / "README.md").read_text()
    assert int(last("EXPOSE")) == PORT
    with pytest.raises(RecipeError, match="give a --token"):  # it does not start by mistake
        guard_of(options["host"], None)
    guard_of(options["host"], "a token of the env file")


def test_what_is_copied_is_there_and_let_through():
    first, *patterns = [p for p in IGNORED.read_text().splitlines() if p and p[0] != "#"]
    assert first == "*"
    let_through = [p[1:] for p in patterns if p.startswith("!")]
    copied = [
        name
        for found, rest in instructions()
        if found == "COPY" and not rest.startswith("--from")
        for name in rest.split()[:-1]
    ]
    for name in copied:
        assert (ROOT / name).exists(), name
        assert any(fnmatch.fnmatch(name, pattern) for pattern in let_through), name
    assert sorted(copied) == sorted(let_through)
    # what the package is built from, and what its metadata names
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"src", "pyproject.toml", project["readme"], *project["license-files"]} <= {*copied}


def test_the_health_check_tells_a_server_from_none(tmp_path):
    whole = last("HEALTHCHECK")
    python, *arguments = json.loads(whole.partition("CMD ")[2])
    assert python == "python"
    assert f"http://127.0.0.1:{PORT}/healthz" in arguments[-1]
    with live(tmp_path) as server:
        port = server.url.rpartition(":")[2]
        healthy = [a.replace(str(PORT), port) for a in arguments]
        assert subprocess.run([sys.executable, *healthy], check=False).returncode == 0
    gone = subprocess.run([sys.executable, *healthy], capture_output=True, check=False)
    assert gone.returncode == 1


def test_the_page_says_what_was_not_run():
    page = DEPLOY / "README.md"
    assert broken_links(page) == []
    assert "Neither was run where it was written" in page.read_text()
    for name in re.findall(r"deploy/([\w.]+)", page.read_text()):
        assert (DEPLOY / name).exists(), name
