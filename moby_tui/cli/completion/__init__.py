"""What a shell offers on TAB. ``answer.complete(words)`` runs in ``moby __complete WORD...``, which the scripts of ``scripts`` call.

``line`` reads the unfinished command line, ``vocabulary`` says what belongs at its end, ``objects`` asks the engine for names. All of it
is private to the command line. Typer is imported only for the options of commands that are declared with it.
"""
