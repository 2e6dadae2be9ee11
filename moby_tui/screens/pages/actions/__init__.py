"""The actions of those pages that have many, declared; each page of that name carries them out. Runs in the process of ``moby tui``."""
