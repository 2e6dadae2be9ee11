"""The local half of copies out of and into an engine, for the command line and the dashboard: placing, packing, unpacking, whole files.

Runs in the process that was called; nothing in it is private.
"""
