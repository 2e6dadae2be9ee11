"""The messages of BuildKit's protocols, one ``.proto`` file each, and the modules that ``packaging/make-wire`` makes of them.

Runs in `moby daemon`. Only ``api/buildkit`` imports these modules, since they bring protobuf along.
"""
