"""The studio's pages: NiceGUI beside the API, in the same app, behind the same guard."""
