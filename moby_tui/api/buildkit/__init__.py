"""BuildKit's protocols on the daemon's socket: gRPC over a connection that was HTTP's, and the sessions of build clients.

Runs in `moby daemon`. Nothing here is imported before a client asks for ``POST /grpc`` or ``POST /session``.
"""
