"""Who made an image: signatures, attestations, and the policy that requires signatures (docs/provenance.md).

Runs in an engine. ``policy`` is asked before a pull; ``verification`` and ``attestations`` answer what a user asks.
"""
