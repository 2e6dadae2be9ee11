"""The warnings that BuildKit would give (build checks): ``writing`` by the text alone, ``scope`` by following names and arguments.

Runs in an engine, before a build begins. https://docs.docker.com/reference/build-checks/
"""
