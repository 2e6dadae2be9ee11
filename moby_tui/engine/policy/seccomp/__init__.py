"""System call filters: from a profile in Docker's format to a program for the kernel (seccomp(2)). Runs in an engine and in ``moby oci``."""
