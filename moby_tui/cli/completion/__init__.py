"""What a shell offers on TAB. ``answer.complete(words)`` runs in ``moby __complete WORD...``, which the scripts of ``scripts`` call.

``line`` reads the unfinished line by the table of commands, ``vocabulary`` says what the table's words stand for, ``objects`` asks the
engine for names. All of it is private to the command line.
"""
