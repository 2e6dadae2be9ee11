"""Events. ``journal`` appends them to files, in engines and in monitors; ``bus`` reads them, in engines.

``EventBus.subscribe`` gives the events of all processes that use the data root. ``journal`` is light, since every monitor pays for it.
``cursor`` (a place in the journal) is private to ``bus``.
"""
