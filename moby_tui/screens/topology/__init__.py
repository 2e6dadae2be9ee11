"""The networks and what is in them as a graph, who reaches whom, and the drawing of it as lines of text; without a widget.

Runs in the process of ``moby tui``.
"""
