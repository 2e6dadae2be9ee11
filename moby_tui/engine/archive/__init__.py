"""Tar archives: compression, reading, unpacking. Used for layers, ``cp``, builds, ``load`` and by the command line."""
