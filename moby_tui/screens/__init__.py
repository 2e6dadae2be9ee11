"""The dashboard, ``moby tui``: Textual screens over a ``Client``, near or far; it knows nothing else of the engine."""
