"""Volumes: create, list, remove, and what a new volume is filled with. ``manager.VolumeManager`` is the entrance, in an engine.

``driver_options`` mounts volumes that are file systems of their own; ``requests`` reads ``-v`` and ``--mount`` of a container.
"""
