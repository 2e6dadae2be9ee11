"""Secrets: small files that containers are given in memory, and that lie encrypted on disk. ``manager.SecretManager`` is the entrance.

``store`` keeps the files of one data root, ``encryption`` has the key and the cipher, ``requests`` checks what callers ask for.
All of it runs in an engine. A container's monitor makes the mounts (``runtime/monitor/secrets.py``).
"""
