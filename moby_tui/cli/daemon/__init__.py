"""How ``moby daemon`` is configured: its options, its file ``daemon.json``, and what the two say together.

The daemon's process reads the file when it starts and when it gets SIGHUP. ``configuration`` is for the command; the rest is private.
"""
