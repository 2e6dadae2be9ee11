"""The engine. ``engine.Engine`` is a ``Client`` that needs no server: each process that opens a data root is a full engine.

The doors (command line, dashboard, API server) import ``Engine`` and nothing else from here. docs/architecture.md has the rooms, the
processes that run them, and the order of events in ``moby run``.
"""
