"""``start``, and what happens without a caller: restarts by policy, clean-up after killed monitors, the start of a daemon.

Runs in an engine. ``start.start`` prepares root, network and configuration and orders a monitor; ``orphans`` records the end of a
container whose monitor was killed.
"""
