"""The bridge over which builds are directed: by a client, or by a frontend that runs in a container of the build.

Runs in `moby daemon`. ``service.py`` has the calls; each belongs to a ``director.Director``. ``frontend.py`` runs a frontend's container and
serves it on its standard input and output; ``containers.py`` and ``processes.py`` are what a director looks at results with.
"""
