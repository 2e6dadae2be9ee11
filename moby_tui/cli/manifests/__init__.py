"""Manifest lists in the making, for ``moby manifest``: kept in docker's own files, and written as docker writes them for a registry.

Runs in the process that was called. An engine only reads and writes what is in registries.
"""
