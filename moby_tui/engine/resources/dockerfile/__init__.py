"""The language of Dockerfiles: ``parser`` reads instructions, ``arguments`` their values, ``shell_words`` expands variables.

Runs in an engine, for builds and for ``--change`` of ``commit`` and ``import``. It knows nothing of images and builds.
https://docs.docker.com/reference/dockerfile/
"""
