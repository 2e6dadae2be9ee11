"""BuildKit's build service: moby.buildkit.v1.Control, and the bridge over which a client directs its build.

Runs in `moby daemon`. ``solve.py`` is one build, ``builds.py`` are all; ``attributes.py`` and ``exporters.py`` turn what a client asks
for into ``BuildOptions``; ``supplier.py`` gives the builder what the client's session offers; ``progress.py`` tells its steps.
"""
