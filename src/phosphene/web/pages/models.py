"""Models: what is here, whose it is, what it was trained on; and how to get what is not."""

from functools import partial

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Request
from nicegui import ui

from phosphene.core.errors import PhospheneError
from phosphene.studio.checkpoint_folders import CheckpointKind
from phosphene.web.conversions import convert, offered, proposed_name
from phosphene.web.house import House
from phosphene.web.pages.frame import frame, house_of, page
from phosphene.web.pages.pieces import named, sentence, told_errors
from phosphene.zoo.card import Card
from phosphene.zoo.fetch import is_here, pull
from phosphene.zoo.registry import cards

PATH = "/models"
LOOK_SECONDS = 0.5
KINDS = {
    CheckpointKind.TAMING: "VQGAN (taming, latent-diffusion)",
    CheckpointKind.STYLEGAN2: "StyleGAN2 (NVIDIA's PyTorch)",
    CheckpointKind.BIGGAN: "BigGAN (DeepMind, ajbrock)",
}


class Pull:
    """One download, which goes on in a thread while the page shows how far it is."""

    def __init__(self, house: House, card: Card) -> None:
        self.house, self.card = house, card
        self.line, self.share, self.error, self.is_over = "", 0.0, "", False

    def go(self) -> None:
        """Fetch the model and what it needs; what comes is checked against its sha256."""
        try:
            for progress in pull(self.card.name, self.house.settings.home):
                self.share = progress.done / max(1, progress.total)
                self.line = f"{progress.name}: {progress.done / 1e6:.0f} MB"
        except PhospheneError as error:
            self.error = sentence(error)
        finally:
            self.is_over = True


class Shelf:
    """The cards."""

    def __init__(self, house: House, found: list[tuple[Card, bool]]) -> None:
        self.house = house
        self.place = ui.element("div").classes("cards")
        self.show(found)

    def show(self, found: list[tuple[Card, bool]]) -> None:
        """Show these cards instead."""
        self.place.clear()
        with self.place:
            for card, there in found:
                self._card(card, there)

    def _card(self, card: Card, there: bool) -> None:
        with named(ui.element("article").classes("card panel"), card.name):
            with ui.element("div").classes("head"):
                ui.label(card.name).classes("subtitle").props("role=heading aria-level=2")
                ui.label("here" if there else "not here").classes(
                    "badge good" if there else "badge"
                )
            ui.label(card.summary)
            facts = {
                "Family": card.family,
                "Size": f"{card.size} px" if card.size else "",
                "Weights": f"{card.parameters / 1e6:.1f} M, {card.bytes / 1e6:.1f} MB",
                "Licence": card.licence,
                "Trained on": card.trained_on,
                "From": card.origin if card.converted is None else "converted on this machine",
            }
            with ui.element("dl").classes("fact-list"):
                for name, value in facts.items():
                    if value:
                        with ui.element("dt"):
                            ui.label(name)
                        with ui.element("dd"):
                            ui.label(value)
            if not there and (card.wheel or card.hub or card.url):
                self._offer(card)

    def _offer(self, card: Card) -> None:
        with ui.element("div").classes("acts") as place:
            button = ui.button(f"Fetch {card.bytes / 1e6:.0f} MB", icon="download", color=None)
            button.props("outline no-caps").on_click(partial(self._pull, card, place))

    async def _pull(self, card: Card, place: ui.element) -> None:
        going = Pull(self.house, card)
        place.clear()
        with place:
            line = ui.label("Asking").classes("quiet").props("role=status")
            bar = ui.linear_progress(0, show_value=False, size="6px").props("rounded")

            def look() -> None:
                line.text = going.line or line.text
                bar.value = going.share

            timer = ui.timer(LOOK_SECONDS, look)
        await run_sync(going.go, limiter=CapacityLimiter(1))  # it may take minutes
        timer.cancel()
        bar.set_visibility(False)
        line.text = going.error or "It is here"
        if going.error:
            line.classes("error", remove="quiet")


class Conversion:
    """The form that makes a model of a checkpoint.

    Args:
        files: What can be converted, as `conversions.offered` lists it.
        shelf: Where the new card is shown.
    """

    def __init__(self, house: House, files: list[str], shelf: Shelf) -> None:
        self.house, self.shelf = house, shelf
        title = ui.label("Convert").classes("subtitle").props("role=heading aria-level=2")
        if not files:
            title.text = "Nothing to convert"
            ui.label("The folders that are open hold no checkpoints.").classes("quiet")
            return
        with ui.element("div").classes("conversion"):
            self.file = ui.select(files, label="Checkpoint", value=files[0])
            self.kind = ui.select(KINDS, label="Kind", value=next(iter(KINDS)))
            self.name = ui.input("Name", placeholder=proposed_name(files[0]))
            for field in (self.file, self.kind, self.name):
                field.props("outlined dense options-dense stack-label")
        self.file.on_value_change(self._propose)
        with ui.element("div").classes("go"):
            self.button = ui.button("Convert", icon="autorenew", color=None, on_click=self.convert)
            self.button.props("outline no-caps")
            self.line = ui.label().classes("quiet").props("role=status")
        self.error = ui.label().classes("error").props("role=alert")

    async def convert(self) -> None:
        """Convert what is chosen, and show its card."""
        file, name = self.file.value, self.name.value or ""
        going = partial(convert, self.house, CheckpointKind(self.kind.value), file, name)
        self.line.text, said = f"Converting {file}; a large one takes minutes", ""
        self.button.props("loading").disable()
        try:
            with told_errors(self.error):
                made = await run_sync(going, limiter=CapacityLimiter(1))
                self.shelf.show(await run_sync(found_models, self.house))
                self.name.value, said = "", f"{made.name} is here"
        finally:
            self.line.text = said
            self.button.props(remove="loading").enable()

    def _propose(self) -> None:
        self.name.props["placeholder"] = proposed_name(self.file.value)


@page(PATH)
async def models_page(request: Request) -> None:
    """Show all models."""
    house = house_of(request)
    with frame(request, PATH):
        ui.label("Models").classes("title").props("role=heading aria-level=1")
        if house.settings.checkpoints:
            form = named(ui.element("section").classes("form panel"), "Convert")
        shelf = Shelf(house, await run_sync(found_models, house))
        if house.settings.checkpoints:
            files = await run_sync(offered, house)
            with form:
                Conversion(house, files, shelf)


def found_models(house: House) -> list[tuple[Card, bool]]:
    """All cards, and whether their weights are here."""
    home = house.settings.home
    return [(card, is_here(card, home)) for card in cards(home)]
