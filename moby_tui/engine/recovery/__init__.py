"""What recovery finds of each kind of object: see ``engine/recovery/rebuild.py``."""
