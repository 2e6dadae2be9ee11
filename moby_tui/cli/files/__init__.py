"""The user's files, read and written by the command line: build contexts, what `import` and `load` are given, the arguments of `cp`."""
