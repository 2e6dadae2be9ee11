"""The command line under the name ``docker``: lines that are not in order and pages of help, in docker's words and layout.

The process that was called imports it, by that name, for what ``quick`` does not understand. ``line.call`` is its entry; the rest is
private to it.
"""
