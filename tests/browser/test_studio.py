"""What a visitor does, in a real browser with real clicks, through server, queue and models."""

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from phosphene.core.images import save_png
from phosphene.core.rng import Rng
from phosphene.web.pages.places import PLACES
from phosphene.zoo.fetch import is_here
from phosphene.zoo.registry import card, home
from tests.browser.chromium import CONTROL, Tab, browser, program
from tests.studio.studios import picture, plain_png

ROOT = Path(__file__).parents[2]
PROGRAM = "from phosphene.cli.app import main\nif __name__ == '__main__': main()"
NEEDED = ("emoji-vqgan", "emoji-clip", "minilm", "efficientnet-lite0")
EVIL = "<img src=x onerror=window.xss=1><script>window.xss=2</script>"
PROMPT = ".prompt textarea"
# a thousand steps of ten milliseconds
TINY_GAN = """learner = "gan"
name = "tiny"
size = 16
steps = 1000
batch_size = 4
checkpoint_every = 50
sheet_every = 50
[model]
arch = "dcgan"
width = 4
d_width = 4
"""
PAGES = [path for path, place in PLACES.items() if place.title]
PATIENCE = 240  # seconds, on a machine that others share

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(program() is None, reason="no chromium; apt-get install chromium"),
    pytest.mark.skipif(
        not all(is_here(card(name, home()), home()) for name in NEEDED),
        reason="weights are missing; phosphene models pull --embedded",
    ),
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a worker; its address."""
    share, data = tmp_path_factory.mktemp("share"), tmp_path_factory.mktemp("data")
    for i in range(6):
        save_png(Rng((i,)).uniform(3, 20, 20, low=-1)[0], data / "noise" / f"{i}.png")
    options = ["--port", "0", "--share-dir", str(share), "--data-dir", str(data)]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "serve", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = process.stderr.readline()
    assert "serving http://127.0.0.1:" in said, said
    yield said.split("serving ")[1].split(",")[0]
    process.terminate()
    process.wait(timeout=60)
    process.stderr.close()


@pytest.fixture(scope="module")
def window() -> Iterator[Tab]:
    with browser() as tab:
        yield tab()


@pytest.fixture
def tab(window: Tab) -> Iterator[Tab]:
    """A tab that has asked for nothing yet; at the end, nothing of other hosts, and no errors."""
    window.requests.clear()
    window.complaints.clear()
    window.resize(1280, 860, dark=True)
    yield window
    hosts = {url.split("/")[2].rpartition(":")[0] for url in window.requests if "://" in url}
    assert hosts <= {"127.0.0.1"}
    assert window.complaints == []


def begin(tab: Tab, base: str, prompt: str, steps: int) -> None:
    """Ask for a small picture with keys and clicks."""
    tab.open(f"{base}/imagine?width=64&height=64&iterations={steps}")
    tab.click(PROMPT)
    tab.type(prompt)
    tab.wait(f"document.querySelector('{PROMPT}').value === {prompt!r}")
    time.sleep(0.5)
    tab.click(".primary")
    tab.wait("location.search.includes('job=')", 30)


def test_a_picture_grows_is_reloaded_scrubbed_and_forked(tab: Tab, base: str) -> None:
    begin(tab, base, "fox in the snow", 60)
    tab.wait_for("Painting, step", PATIENCE)
    address = tab.look("location.href")
    tab.open(address)  # reloaded in mid-job
    tab.wait(f"document.querySelector('{PROMPT}').value === 'fox in the snow'")
    tab.wait_for("Done in", PATIENCE)
    tab.wait("document.querySelector('.canvas img').naturalWidth === 64")
    tab.click(".scrub .q-slider")
    tab.wait_for("Step ")
    tab.click_text("Fork from here")
    tab.wait_for("Starts from this picture")
    tab.click(PROMPT)
    tab.look(f"document.querySelector('{PROMPT}').select()")
    tab.type("owl")
    time.sleep(0.5)
    tab.key("Enter", CONTROL)
    tab.wait(f"location.href !== {address!r} && location.search.includes('job=')", 30)
    tab.wait_for("Done in", PATIENCE)


def test_a_job_is_cancelled(tab: Tab, base: str) -> None:
    begin(tab, base, "red rose", 5000)
    tab.wait_for("Painting, step", PATIENCE)
    tab.click_text("Cancel")
    tab.wait_for("Cancelled", 60)
    tab.open(f"{base}/queue")
    tab.wait_for("red rose")
    tab.wait_for("cancelled")


def test_pictures_are_searched_and_starred(tab: Tab, base: str) -> None:
    tab.open(f"{base}/gallery")
    tab.fill("input[aria-label=Search]", "owl")
    tab.wait("document.querySelectorAll('.tile').length === 1")
    tab.click(".tile")
    tab.wait_for("Open in Imagine")
    time.sleep(1)  # it opens with a movement
    tab.click(".head [aria-label=Favourite]")
    tab.wait("!!document.querySelector('.head [aria-pressed=true]')")
    tab.key("Escape")
    tab.wait("!!document.querySelector('.tile .starred')")


def test_two_generations_are_bred_and_a_child_is_starred(tab: Tab, base: str) -> None:
    tab.open(f"{base}/breed?model=emoji-stylegan2&dreams=1")
    seen = "[...document.querySelectorAll('.children img')].filter(e => e.naturalWidth).length"
    tab.wait(f"{seen} === 12", PATIENCE)
    job = "String(new URLSearchParams(location.search).get('job'))"
    for _ in range(2):
        before = tab.look(job)
        for number in (1, 3):
            tab.click(f".children .face-box:nth-child({number}) .tile")
        tab.wait("document.querySelectorAll('.tray img').length === 2")
        tab.click(".primary")
        tab.wait(f"{job} !== {before!r}")
        tab.wait_for("Done in", PATIENCE)
        tab.wait(f"{seen} === 8")
    tab.click(".children .face-box:nth-child(1) [aria-label=Favourite]")
    tab.wait("!!document.querySelector('.children [aria-label=Favourite][aria-pressed=true]')")
    tab.wait_for("Learnt from 1 star")
    tab.open(tab.look("location.href"))  # reloaded
    tab.wait("!!document.querySelector('.children [aria-label=Favourite][aria-pressed=true]')")
    tab.click(".children .face-box:nth-child(2) [aria-label=Family]")
    tab.wait("document.querySelectorAll('.pedigree img').length === 7")  # both parents, and theirs


def test_a_sheet_of_two_fields(tab: Tab, base: str) -> None:
    tab.open(f"{base}/sheets")
    tab.wait_for("24 pictures, 6 x 4")
    tab.click(".primary")
    tab.wait_for("Done in", PATIENCE)
    tab.wait("document.querySelector('.whole').naturalWidth > 300")


def test_one_drags_over_the_map_and_films_two_keyframes(tab: Tab, base: str) -> None:
    tab.open(f"{base}/wander?model=emoji-stylegan2&seconds=1")
    tab.wait("document.querySelector('.two .canvas img').naturalWidth === 64", PATIENCE)
    shown = "document.querySelector('.two .canvas img').src"
    seen = "[...document.querySelectorAll('.latent-map img')].filter(e => e.naturalWidth).length"
    tab.wait(f"{seen} === 25", PATIENCE)
    tab.click_text("Add keyframe")
    before = tab.look(shown)
    x, y, side = tab.look(
        "(() => { const r = document.querySelector('.latent-map').getBoundingClientRect();"
        "return [r.x, r.y, r.width]; })()"
    )
    tab.drag((x + 0.5 * side, y + 0.5 * side), (x + 0.7 * side, y + 0.7 * side))
    tab.wait(f"{shown} !== {before!r}")
    tab.wait_for("seed 8001")  # a crossing further, and one down
    tab.wait("new URLSearchParams(location.search).get('at') === '1,1'")
    tab.key("ArrowRight")  # the map has the focus
    tab.wait("new URLSearchParams(location.search).get('at') === '1.1,1'")
    tab.click_text("Add keyframe")
    tab.wait("document.querySelectorAll('.film .thumb img').length === 2")
    tab.click(".film .primary")
    tab.wait("document.querySelector('video')?.videoWidth === 256", PATIENCE)
    tab.open(tab.look("location.href"))  # reloaded
    tab.wait("document.querySelectorAll('.film .thumb img').length === 2")
    tab.wait("document.querySelector('video')?.videoWidth === 256", PATIENCE)


def test_a_model_is_trained_stopped_reloaded_and_resumed(tab: Tab, base: str) -> None:
    tab.open(f"{base}/train?{urlencode({'folder': 'noise', 'recipe': TINY_GAN})}")
    tab.wait_for("Nothing is trained here")
    tab.click(".primary")
    tab.wait("location.search.includes('job=')", 30)
    tab.wait_for("Sample sheet after", PATIENCE)
    tab.wait("document.querySelector('.sheet-box img').naturalWidth > 100")
    tab.wait("document.querySelectorAll('.curve polyline').length > 2")
    assert tab.look("document.querySelector('.curve polyline').getBBox().width > 300")
    tab.click_text("Stop")
    tab.wait_for("Paused", 60)
    tab.open(tab.look("location.href"))  # reloaded
    tab.wait_for("Resume goes on from the last checkpoint.")
    tab.click_text("Resume")
    tab.wait_for("Training, step", PATIENCE)
    tab.wait_for("Done in", PATIENCE)
    tab.wait_for("phosphene sample share")
    tab.wait_for("tiny.safetensors")


def test_words_never_become_code(tab: Tab, base: str) -> None:
    begin(tab, base, EVIL, 2)
    tab.wait_for("Done in", PATIENCE)
    for path in ("/imagine", "/gallery", "/queue"):
        tab.open(base + path)
        time.sleep(1)
        assert tab.look("window.xss === undefined")
    tab.wait_for("<img src=x")


def test_everything_is_reached_by_keyboard(tab: Tab, base: str) -> None:
    tab.open(f"{base}/imagine")
    tab.look("document.activeElement.blur()")
    reached = set()
    for _ in range(40):
        tab.key("Tab")
        reached.add(
            tab.look(
                "(document.activeElement.getAttribute('aria-label') "
                "|| document.activeElement.textContent || '').trim()"
            )
        )
    assert {"Skip to content", "neon", "Draw a seed"} <= reached
    assert any(name.endswith("Imagine") for name in reached)


def test_the_main_action_is_reached_and_pressed_by_keyboard(tab: Tab, base: str) -> None:
    name = "(document.activeElement.textContent || '').trim()"
    for path, action, said in (
        ("/imagine", "Imagine", "say what to paint"),
        ("/breed?dreams=1", "Children", "click one picture or more"),
        ("/wander", "Film", "add two or more"),
        (f"/train?{urlencode({'folder': 'noise', 'recipe': 'x'})}", "Train", "neither TOML"),
    ):
        tab.open(base + path)
        tab.wait(f"!!document.querySelector('.primary') && {name} !== 'x'", PATIENCE)
        tab.look("document.querySelector('#content').focus()")
        for _ in range(80):
            tab.key("Tab")
            if tab.look(
                f"document.activeElement.matches('.primary') && {name}.endsWith('{action}')"
            ):
                break
        assert tab.look("document.activeElement.matches('.primary')"), path
        assert tab.look("getComputedStyle(document.activeElement).boxShadow") != "none", path
        tab.key("Enter")
        tab.wait(f"document.body.innerText.includes({said!r})", PATIENCE)


def test_pictures_are_imported_and_exported(tab: Tab, base: str, tmp_path: Path) -> None:
    ours, foreign, bare = (tmp_path / f"{name}.png" for name in ("ours", "foreign", "bare"))
    ours.write_bytes(picture("a lynx", "green"))
    foreign.write_bytes(plain_png("blue", parameters="a marten\nSteps: 20, Seed: 7, Size: 64x64"))
    bare.write_bytes(plain_png("red"))
    tab.open(f"{base}/gallery?q=lynx")
    tab.wait_for("Nothing found")
    tab.choose(".transfer input", ours, foreign, bare)
    tab.wait_for("bare.png: the picture carries no recipe")
    tab.wait_for("2 pictures imported")
    tab.wait("document.querySelectorAll('.tile').length === 1")
    tab.open(f"{base}/gallery?q=a")
    tab.wait_for("a marten")
    tab.download_into(tmp_path / "got")
    tab.click_text("Select")
    tab.wait_for("Click pictures to choose them")
    tab.click("[aria-label='a marten']")
    tab.wait_for("1 chosen")
    tab.click_text("Export")
    zipped = tmp_path / "got" / "phosphene.zip"
    until = time.monotonic() + PATIENCE
    while not zipped.is_file():
        assert time.monotonic() < until
        time.sleep(0.1)
    with zipfile.ZipFile(zipped) as archive:
        (listed,) = json.loads(archive.read("gallery.json"))
    assert listed["title"] == "a marten"
    tab.complaints.clear()  # the browser logs each refusal


def test_truncation_is_slid_by_keyboard(tab: Tab, base: str) -> None:
    tab.open(f"{base}/person?seed=7&model=emoji-stylegan2&truncation=0.5")
    shown = "document.querySelector('.face img').src"
    tab.wait("document.querySelector('.face img').naturalWidth === 64", PATIENCE)
    tab.look("document.querySelector('.truncation [tabindex]').focus()")
    tab.key("ArrowRight")
    tab.wait(f"{shown}.endsWith('truncation=0.55')")
    tab.wait("location.search.endsWith('truncation=0.55')")
    tab.wait("document.querySelector('.face img').naturalWidth === 64", PATIENCE)


def test_pages_fit_a_phone_and_remember_light_and_dark(tab: Tab, base: str) -> None:
    tab.resize(390, 844, dark=False)
    for path in PAGES:
        tab.open(base + path)
        assert tab.look("document.documentElement.scrollWidth <= window.innerWidth"), path
        bar = "document.querySelector('.ways')"
        assert tab.look(f"{bar}.scrollWidth <= {bar}.clientWidth"), path
        ways = tab.look(
            "[...document.querySelectorAll('.way')].map(e => e.getBoundingClientRect())"
            ".map(r => [r.left, r.right, r.top, r.bottom])"
        )
        assert len(ways) == len(PAGES)
        assert all(0 <= a < b <= 390 and 0 <= c < d <= 844 for a, b, c, d in ways), (path, ways)
        assert not tab.look("document.body.classList.contains('body--dark')")
    tab.click(".mode")
    tab.wait("document.body.classList.contains('body--dark')")
    tab.open(f"{base}/gallery")
    tab.wait("document.body.classList.contains('body--dark')")
    tab.look("document.cookie = 'phosphene-theme=; max-age=0; path=/'")
