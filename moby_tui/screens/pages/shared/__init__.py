"""What several pages do in the same way, as base classes of theirs. Runs in the process of ``moby tui``."""
