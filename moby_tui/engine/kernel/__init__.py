"""The only place that speaks to the kernel in raw terms: system calls, mounts, namespaces, control groups, netlink, nftables.

Typed functions without policy, each of which names its man page; all processes of the engine use them. They import nothing of ours and,
but for ``inotify`` and ``network``, the light part of the standard library only, since every container's monitor pays for it.
"""
