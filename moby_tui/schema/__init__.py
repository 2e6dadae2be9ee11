"""The vocabulary that every part speaks: the objects of the Engine API and of the OCI specifications, as typed structs.

It imports nothing of ours. Import from the modules (``moby_tui.schema.container``), so that one pays for what one uses.
"""
