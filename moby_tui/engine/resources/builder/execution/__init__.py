"""What the instructions that change files do: COPY and ADD (``transfer``, ``copying``), and the mounts of RUN (``mounts``, ``agents``).

``layering`` makes a layer of what has changed; ``commit`` uses it too. Runs in an engine, for the stages of ``graph``.
"""
