"""Every command of moby, declared once: names, arguments, options with their types, defaults and help, examples, what completes them.

A module for each noun. ``root`` finds the command that a line calls, ``declare`` has the words of a declaration. The parsers
(``quick``; Typer's, made by ``flags``), help, completion, the manual pages and the list in docs/commands.md are made of it.
It imports no command and no parser: a process that starts a container pays for it.
"""
