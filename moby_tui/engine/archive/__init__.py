"""Tar archives: ``compression``, reading (``tar``), packing (``pack``), unpacking over files that are there (``unpack``), and ``limits``.

Used by engines for layers, ``cp``, builds and ``load``, by the unpacker, and by the command line. What an archive holds is hostile.
"""
