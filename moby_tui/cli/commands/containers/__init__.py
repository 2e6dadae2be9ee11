"""The commands about containers: ``run``, ``ps``, ``exec``, ``logs``, ``cp`` and the rest. They run in the process that was called."""
