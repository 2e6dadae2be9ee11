"""Volumes of the driver ``local`` and of plug-ins: create, list, fill, copy, rename, remove. Runs in an engine.

Offers ``manager.VolumeManager``. ``driver_options`` mounts the volumes that are file systems of their own; ``requests`` reads the options
``-v``, ``--mount`` and ``--tmpfs`` of a container. ``store`` changes a volume's row, record and folder together.
All other modules are private to the room.
"""
