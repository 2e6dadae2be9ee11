"""The page of containers before Textual is there: its frame with the engine's rows of now, which takes a third of the time.

Runs in the process of ``moby tui``, whose engine is in that process too. What is drawn is what ``screens.listing`` declares, in the
places where the page has it; Textual's first picture takes its place. ``beginning.py`` is what the command line calls.
"""
