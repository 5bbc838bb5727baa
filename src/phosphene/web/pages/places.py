"""The table of pages: their addresses, and which of them stand in the navigation."""

from typing import NamedTuple


class Place(NamedTuple):
    """A page.

    Args:
        module: Whose import makes it.
        title: Empty for one that is not in the navigation.
        icon: Of the material icons that NiceGUI carries.
    """

    module: str
    title: str = ""
    icon: str = ""


HERE = "phosphene.web.pages"
PLACES = {
    "/": Place(f"{HERE}.imagine"),
    "/imagine": Place(f"{HERE}.imagine", "Imagine", "auto_awesome"),
    "/breed": Place(f"{HERE}.breed", "Breed", "child_care"),
    "/sheets": Place(f"{HERE}.sheets", "Sheets", "grid_on"),
    "/wander": Place(f"{HERE}.wander", "Wander", "explore"),
    "/train": Place(f"{HERE}.train", "Train", "school"),
    "/gallery": Place(f"{HERE}.gallery", "Gallery", "photo_library"),
    "/queue": Place(f"{HERE}.queue", "Queue", "format_list_numbered"),
    "/person": Place(f"{HERE}.person", "Person", "face"),
    "/models": Place(f"{HERE}.models", "Models", "category"),
}
