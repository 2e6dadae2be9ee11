"""What the lists and the top line say, and where: columns, cells, the pages' names. Without a widget, and without Textual.

Runs in the process of ``moby tui``: the widgets show it, and ``screens.early`` draws it while Textual is imported.
"""
