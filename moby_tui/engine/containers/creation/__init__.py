"""``create``: a request is checked, merged with the image's configuration and written down, as a row and a folder.

Runs in an engine. ``creation.create`` is for the service; the other modules are parts of it.
"""
