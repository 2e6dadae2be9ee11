"""What a container writes, kept: a module for each log driver, in the monitor. Engines read it back with ``runtime/client/log_reader.py``."""
