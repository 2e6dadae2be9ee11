"""``start``, and what happens without a caller: restarts by policy, clean-up after killed monitors, the start of a daemon.

Runs in an engine. ``start.start`` prepares root, network and configuration and orders a monitor; ``settling`` cleans up
when an engine opens the data root, ``orphans`` records the end of a container whose monitor was killed.
"""
