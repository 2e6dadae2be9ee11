"""Docker's plug-in protocol, version 1: programs of others that answer HTTP on a socket (Docker Engine managed API, "Plugin API").

``discovery`` finds them, ``connection`` exchanges one request and its answer, ``volume_driver`` makes the calls of volume drivers and
``volume_mounts`` records what they have mounted for containers. An engine calls them; the monitor calls ``Unmount`` at a container's end.
"""
