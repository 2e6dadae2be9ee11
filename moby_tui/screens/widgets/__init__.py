"""The dashboard's widgets, one to a module. They show what ``screens/session`` holds. They run in the process of ``moby tui``."""
