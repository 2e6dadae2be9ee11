"""What is kept on disk: the database (SQLite), the records beside the files of each object, ``state.json``, locks, and all paths.

Runs in an engine; ``state`` and nothing else in monitors too. ``containers``, ``images`` and ``networks`` have the rows of each kind;
``losses`` finds a database that does not know what lies on disk.
"""
