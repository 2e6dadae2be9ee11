"""The messages between our processes, and the files that one process writes for another to read, as types.

The engine, the launcher, the stand-by process, the monitors, the name server and the unpacker read and write these and nothing else. Each
message is read by ``Message.from_values`` alone, which refuses what is wrong with ``MalformedMessage``. What is used of an OCI
configuration is declared here too (``configuration.py``). The room stands on the standard library only, since every container's monitor
pays for what is imported here.
"""
