"""How containers end. ``exit_wait`` waits for the exit of a container, ``ending`` sends signals, stops and removes.

Runs in an engine. A command that only runs a container to its end imports the wait alone.
"""
