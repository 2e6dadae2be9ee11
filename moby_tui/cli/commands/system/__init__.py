"""The commands about the engine itself: ``daemon``, ``tui``, ``info``, ``events``, ``system``. They run in the process that was called."""
