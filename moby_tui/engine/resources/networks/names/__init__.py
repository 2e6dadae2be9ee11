"""The name service of user-defined networks: 127.0.0.11 in each container.

``zone`` writes and reads the files with the names of containers: an engine writes them when it connects a container. ``server`` is the name
server, a process that answers for all containers of one data root, on sockets in the containers' network namespaces. ``answers`` makes its
answers from the zones, ``forwarding`` asks other name servers. ``sockets`` makes the sockets of a container: its engine calls it at the
start. Each monitor keeps its container's sockets and sends them to the server (``runtime/monitor/name_service.py``): when the server is
killed, the monitors start another.
"""
