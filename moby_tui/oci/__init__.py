"""``moby oci``: an OCI runtime as a command line, as other engines call one (runtime-spec 1.2, "Runtime and Lifecycle").

Its options are runc's, which every engine knows. It is started for every step of every container, so it imports little.
"""
