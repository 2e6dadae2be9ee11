"""The protocol ``Client`` that every engine fulfils, and the way to one: ``connect(host)``.

``protocol`` and ``connect`` are for everybody. ``http`` is the client of an engine elsewhere, in a process of its own; its parts
(``remote``, ``requests``, ``containers``, ``images``, ``builds``, ``volumes``, ``registries``) and ``transport`` are private to it.
"""
