"""Lines of text with a cursor: for what is told of a build, and for what is offered. Runs in the process of ``moby tui``."""
