"""What containers and the machine use, without a widget: rows of figures to sort, samples of all containers, /proc of the machine.

Runs in the process of ``moby tui``.
"""
