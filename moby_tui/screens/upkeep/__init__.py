"""What takes how much of an engine's disk, and what each kind of prune would take away; without a widget.

Runs in the process of ``moby tui``.
"""
