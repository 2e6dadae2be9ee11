"""Creates containers: checks a request, merges it with the configuration of the image, and writes the container's row and folder.

Runs in an engine. The service calls ``creation.create``; the other modules are parts of it.
"""
