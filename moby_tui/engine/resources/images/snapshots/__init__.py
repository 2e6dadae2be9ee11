"""Root file systems: ``snapshot.mount`` stacks layers as an overlayfs and returns it as a descriptor. ``layers`` keeps the unpacked layers.

Runs in an engine. ``mount_points`` makes the layer with what an image lacks to be mounted on; ``recovery`` repairs layers after a power cut.
"""
