"""The launcher: a small process, started by its engine, that forks a monitor for each container. It ends with its engine.

``spawning`` is called by the engine; ``launcher.serve`` is the process; ``rehearsal`` does ahead what each monitor would otherwise do for
the first time.
"""
