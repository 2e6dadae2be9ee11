"""How a container's first process is made: clone, user namespace, terminal, hooks, and the report of a failure.

Runs in the stand-by process, in monitors and in ``moby oci``. ``host_program`` starts our own program from read-only mounts; engines call
it too. ``standby`` makes the first process before its container is known.
"""
