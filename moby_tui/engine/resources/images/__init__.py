"""Images: pull, push, load, save, list, remove. ``manager.ImageManager`` is the entrance, in an engine.

``registry`` speaks to registries, ``store`` keeps blobs, ``unpack`` makes layers of them (large ones in a process of its own), ``snapshots``
mounts a container's root. Builds, ``commit`` and the containers service use these folders too; the rest is private.
"""
