"""Makes the OCI runtime configuration (``config.json``) of a container: ``spec.build``, with its user, devices, hooks and log options.

Runs in an engine, when a container is created and at each start. https://github.com/opencontainers/runtime-spec
"""
