"""The monitor: one process for each running container, parent of its first process. It outlives the engine that started it.

``monitor.run`` is its life, ``run`` one run of the container, ``control`` the socket on which engines ask it, ``stdio`` and ``logs`` the
streams. An order (``protocol/order.py``) starts it. Engines import ``restart_policy``, ``group`` and the formats in ``logs``, and
nothing else.
"""
