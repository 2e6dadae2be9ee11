"""Trees of files between a client and us, in the packets of fsutil: received (``receiving.py``) and sent (``sending.py``).

Runs in `moby daemon`. ``entry.py`` checks what a client says of a file; ``tree.py`` writes to the disk, in a thread.
"""
