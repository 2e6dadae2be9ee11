"""Makes the user namespace of a container before its start, in the stand-by process of the launcher (light imports).

It is made before everything else: the root file system is mounted with its map, and the network namespace must belong to it.
"""

from __future__ import annotations

import socket

from moby_tui.engine.kernel.ids import IdMap
from moby_tui.engine.kernel.user_namespace import make_with_network
from moby_tui.engine.protocol.control import Answer
from moby_tui.engine.protocol.order import IdMapping, UserNamespaceRequest
from moby_tui.engine.runtime.birth.failure import say


def serve(request: UserNamespaceRequest, descriptors: list[int]) -> None:
    """Answers on the first descriptor: with descriptors of the user namespace and of a network namespace in it, or with an error.

    A second descriptor, if given, is an existing user namespace, which is used instead of a new one.
    """
    reply, *joined = descriptors
    with socket.socket(fileno=reply) as connection:
        try:
            made = make_with_network(_map_of(request.uids), _map_of(request.gids), *joined)
        except OSError as error:
            connection.send(Answer.refusing("failed", say(error)).encode_line())
            return
        socket.send_fds(connection, [Answer().encode_line()], made)


def _map_of(mappings: list[IdMapping]) -> IdMap:
    return [{"containerID": mapping.inside, "hostID": mapping.outside, "size": mapping.size} for mapping in mappings]
