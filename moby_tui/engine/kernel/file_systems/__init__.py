"""File systems on the host's disks: which one a file is on (``mount_table``), project quotas, and loop devices for those in a file.

Engines import these modules; a monitor imports ``mount_table`` for the text of an error.
"""
