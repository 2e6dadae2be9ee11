"""The commands about registries: ``login``, ``logout``, ``search``, ``registry``. They run in the process that was called."""
