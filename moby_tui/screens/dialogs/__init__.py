"""Modal screens above a page: questions, notices, help. They know no page. Runs in the process of ``moby tui``."""
