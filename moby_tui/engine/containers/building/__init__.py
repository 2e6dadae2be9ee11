"""The containers of builds. ``steps.py`` runs a RUN step to its end; ``processes.py`` runs processes whose streams are a client's.

Runs in the engine. The builder is handed ``ContainerSteps``, the rest is private.
"""
