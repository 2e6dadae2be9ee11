"""Version numbers, importable without anything else."""

VERSION = "0.1.0"
#: Newest Engine API version whose shapes we answer with, and the oldest client we accept.
API_VERSION = "1.52"
MIN_API_VERSION = "1.24"
