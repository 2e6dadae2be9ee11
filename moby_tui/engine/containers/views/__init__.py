"""Descriptions of containers, which change nothing: ``ps``, ``inspect``, ``top``, ``stats``, ``diff``, and the reachable ports.

Runs in an engine. They are made of the container's row, its ``state.json`` and what the kernel reports.
"""
