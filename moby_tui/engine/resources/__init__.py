"""What containers are made from: ``images``, ``volumes``, ``networks``, and ``builder``, which makes images. Each runs in an engine."""
