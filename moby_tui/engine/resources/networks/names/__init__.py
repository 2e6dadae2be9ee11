"""The name service of user-defined networks: 127.0.0.11 in each container.

``zone`` is what containers are called, as files; an engine writes them. ``server`` is a process that answers for all containers of one data
root, on sockets that lie in the containers' namespaces; ``answers`` is what it says, ``forwarding`` how it asks others. ``sockets`` makes a
container's sockets. Each monitor holds those of its container and hands them to the server (``runtime/monitor/name_service.py``): when the
server is killed, the monitors start another.
"""
