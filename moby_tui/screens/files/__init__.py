"""Files of containers, images and volumes, without a widget: where they come from, a tree of them, the content of one, layers of an image.

Runs in the process of ``moby tui``.
"""
