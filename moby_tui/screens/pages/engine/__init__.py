"""Pages of an engine as a whole: how its networks hang together, what is wrong, its compose projects, its disk and host.

Run in the process of ``moby tui``.
"""
