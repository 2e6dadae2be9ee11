"""What runs a container. ``client`` and ``configuration`` run in an engine; the other rooms run in small processes of their own.

``launcher``, ``monitor``, ``birth`` and ``plan`` import the light part of the standard library only. docs/rooms/runtime.md tells how a
container starts, lives and ends.
"""
