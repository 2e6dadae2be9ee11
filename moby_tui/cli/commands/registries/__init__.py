"""The commands about registries: ``login``, ``logout``, ``search``, ``registry``, ``manifest``. They run in the process that was called."""
