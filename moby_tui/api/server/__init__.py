"""The Docker Engine API over HTTP: ``serve`` listens and answers until it is told to end. ``moby daemon`` is the process that runs it.

It knows an engine as a ``Client`` only. ``routes`` has the routes; the other modules read requests and write answers, and are private.
"""
