"""The command line. ``app.run(argv)`` runs one command in the process that was called and returns its exit code.

``commands`` has a module for each command; ``options``, ``configuration`` and ``values`` read what the caller wrote; ``output`` and
``terminal`` show what came of it. All else is private. Modules are imported when a command needs them: see ``tree`` and ``quick``.
"""
