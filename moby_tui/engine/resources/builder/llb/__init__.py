"""The names that BuildKit's caches give to the steps of a Dockerfile: digests of its graph of operations (LLB, low-level builder).

Runs in an engine, in builds that read or write caches (``--cache-from``, ``--cache-to``). ``operations`` makes the vertex of a step,
``checksums`` the digest of what it copies, ``records`` reads and writes the list of a cache. Each raises ``vertices.Unknown``, rather than
guess, for a step that it does not know exactly.
"""
