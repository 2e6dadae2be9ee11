"""What an engine tells of containers without changing them: ``ps``, ``inspect``, ``top``, ``stats``, ``diff``.

Runs in an engine, from the row, ``state.json`` and the kernel.
"""
