"""What is wrong with containers and their host and what to do about it, and the rules by which a person is told of it; without a widget.

Runs in the process of ``moby tui``. ``watch.ProblemWatch`` alone speaks to the engine, ``sending`` to the outside.
"""
