"""Ports that stay the same while nobody serves on them."""

import socket


def reserve():
    """A socket whose port nobody else gets for as long as it is kept: it is bound, but does not listen. A server that
    sets SO_REUSEADDR can listen on the port, as often as it likes."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder


def address(holder):
    return f"127.0.0.1:{holder.getsockname()[1]}"
