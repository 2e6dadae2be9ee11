"""The commands that build images and manage the build cache: ``build``, ``builder prune``. They run in the process that was called."""
