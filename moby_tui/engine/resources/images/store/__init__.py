"""Blobs on disk: ``content.ContentStore`` keeps them by digest, ``staging`` holds what is half made, ``partial`` what a broken download left.

Runs in an engine. ``written`` knows which files may be lost by a power cut.
"""
