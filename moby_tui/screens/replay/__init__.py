"""What was, without a widget: the life of one container along a line of time that one goes back and forth on.

Runs in the process of ``moby tui``.
"""
