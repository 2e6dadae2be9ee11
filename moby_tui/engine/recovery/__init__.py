"""Rebuilds the database of a data root that has lost it, for ``moby system recover`` and after a power cut.

Runs in an engine, before anything else does. ``rebuild.recover`` is the only entrance; each other module finds one kind of object on disk.
"""
