"""Brings an older data root to the format of today: one numbered module for each format after the first, with one function ``migrate``.

Runs in an engine that opens the data root (``migration.migrate``). A step that is released is never changed: it reads and writes the rows
as the two formats have them, as JSON, without the structs of ``store/records``, which are those of today.
"""
