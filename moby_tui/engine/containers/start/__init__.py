"""Starts containers: by a command, by a restart policy, and when a daemon begins. Cleans up after killed monitors.

Runs in an engine. ``start.start`` prepares the root, the network and the configuration of a container, and sends the order to its monitor.
``settling`` cleans up when an engine opens the data root, ``watching`` while it stays open; ``orphans`` is the cleaning up of one container.
``resuming`` starts containers again.
"""
