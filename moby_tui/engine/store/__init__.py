"""What is kept on disk: the database (SQLite), the records beside the files of each object, ``state.json``, locks, and all paths.

Runs in an engine; ``state`` and nothing else in monitors too. ``containers``, ``images``, ``networks`` and ``volumes`` read and write the
rows of each kind: all SQL is in this folder. ``migrations`` brings an older data root to the format of today; ``losses`` finds a database
that does not know what lies on disk.
"""
