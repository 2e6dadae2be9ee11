"""Files on the screen: a tree of them, and the content of one. Only the rows that are seen are drawn. Runs in the process of ``moby tui``."""
