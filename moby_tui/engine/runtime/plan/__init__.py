"""From an OCI runtime configuration to a flat plan of system calls."""
