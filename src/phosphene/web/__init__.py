"""The server: HTTP over the queue and the gallery. It never imports torch."""
