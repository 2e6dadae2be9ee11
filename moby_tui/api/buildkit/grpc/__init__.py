"""gRPC on a connection that is there already: as the server (``server.py``) or as the client (``client.py``), over asyncio.

Runs in `moby daemon`. ``connection.py`` bounds what a peer may make us hold; ``tunnel.py`` carries a connection inside a call.
"""
