"""The caller's own terminal: raw mode, size, detach keys, and the pumping of its streams."""
