"""The engine's end of the launcher and of the monitors.

``launcher.Launcher`` gives orders, ``monitor`` sends requests, ``attachment`` attaches, ``log_reader`` reads logs. Runs in an engine, in its
event loop. It is the only room through which an engine speaks to these processes.
"""
