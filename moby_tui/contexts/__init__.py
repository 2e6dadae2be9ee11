"""Contexts: engines with names, in the files of docker's command line. Runs in the process that was called.

``store.py`` reads and writes them, ``choice.py`` says which one a command is for, ``archive.py`` carries one to another machine.
"""
