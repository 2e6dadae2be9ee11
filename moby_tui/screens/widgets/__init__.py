"""The dashboard's widgets, one to a module."""
