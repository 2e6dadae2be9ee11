"""Sessions of build clients: files, secrets, logins and agents that a client offers while its builds run, called by us.

Runs in `moby daemon`. ``sessions.py`` finds a session by its id; ``session.py`` is what a build uses of one.
"""
