"""What the dashboard offers on an engine without containers: things to run, pull, build and compose. No widgets.

Runs in the dashboard's process; the page of the containers shows it.
"""
