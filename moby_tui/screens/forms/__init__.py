"""What the form of ``moby run`` is made of, without a widget: the options of a container that there is, the fields, the comparison.

Runs in the process of ``moby tui``. A line is read by the command line's own parser, which it hands to the dashboard (``RunRequest``).
"""
