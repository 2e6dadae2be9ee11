"""Images that come and go: ``pull`` and ``push`` with a registry, ``load``, ``import`` and ``save`` with an archive.

Runs in an engine. ``transfer`` is what the manager offers; the other modules do one direction each.
"""
