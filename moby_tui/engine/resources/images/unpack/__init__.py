"""A layer's blob becomes a folder: decompressed, verified against its digest, each tar member made on disk.

``workers`` runs in an engine and starts the *unpacker* for large layers; ``unpacker`` is that process; ``unpack`` and ``apply`` run in
either. What a layer holds is hostile.
"""
