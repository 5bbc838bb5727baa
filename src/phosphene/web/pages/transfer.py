"""Pictures come into the gallery from a visitor's disk, and leave it as one zip."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any
from urllib.parse import urlencode

from nicegui import ui

from phosphene.studio.gallery import Search
from phosphene.web.guard import LIMITS, PNG
from phosphene.web.pages.pieces import tell

MAX_BYTES = LIMITS[PNG]
EXPORT, IMPORT = "/api/gallery/export.zip", "/api/gallery/import"
# files go one by one to the same address as from programs, with the same limits
SEND = f"""async (e) => {{
  const input = e.target, files = [...input.files], told = [];
  for (const file of files) {{
    let why = '';
    if (file.size > {MAX_BYTES}) why = 'has more than {MAX_BYTES:,} bytes';
    else try {{
      const answer = await fetch('{IMPORT}',
        {{method: 'POST', headers: {{'content-type': '{PNG}'}}, body: file}});
      if (!answer.ok) why = (await answer.json()).error.message;
    }} catch (error) {{ why = 'did not get there: ' + error.message; }}
    told.push([file.name, why]);
  }}
  input.value = '';
  emit(told);
}}"""
CHOOSE = "(e) => e.currentTarget.parentElement.querySelector('input[type=file]').click()"


def import_button(done: Callable[[], Awaitable[None]]) -> ui.button:
    """A button that asks for PNGs and brings them in; what cannot come is said, a line each.

    Args:
        done: Called when something has come in.
    """

    async def told(event: Any) -> None:
        refused = [f"{str(name)[:80]}: {str(why)[:300]}" for name, why in event.args if why]
        for line in refused[:3]:
            tell(line, is_bad=True)
        if len(refused) > 3:
            tell(f"{len(refused) - 3} more could not be read", is_bad=True)
        if number := len(event.args) - len(refused):
            tell("1 picture imported" if number == 1 else f"{number} pictures imported")
            await done()

    with ui.element("span").classes("transfer"):
        button = ui.button("Import", icon="upload", color=None).props("outline no-caps")
        button.on("click", js_handler=CHOOSE)
        file = ui.element("input").props(f'type=file accept="{PNG},.png" multiple hidden')
        file.props('aria-label="PNGs to import" tabindex=-1').on("change", told, js_handler=SEND)
    return button


def export_address(search: Search, chosen: Collection[str]) -> str:
    """Where the zip is: of the pictures chosen, else of all that a search finds."""
    if chosen:
        return f"{EXPORT}?{urlencode([('picture', name) for name in chosen])}"
    said = {
        "q": search.words,
        "model": search.model,
        "kind": search.kind,
        "since": search.since,
        "favourite": "true" if search.favourite else None,
        "collection": search.collection,
        "bin": "true" if search.bin else None,
    }
    query = urlencode({name: value for name, value in said.items() if value})
    return f"{EXPORT}?{query}" if query else EXPORT
