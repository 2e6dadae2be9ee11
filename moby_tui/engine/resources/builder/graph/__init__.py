"""The stages of a build: which ones the target needs, what each instruction does, and what is in the cache already.

Runs in an engine. ``dispatch`` reads the Dockerfile into stages for ``job``; ``stage`` carries one out; ``cache`` and ``travelling`` look
a step up.
"""
