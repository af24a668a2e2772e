"""A server for one review, until it is stopped."""

import ipaddress
import secrets
import socket
from collections.abc import Callable

import uvicorn

from semiqc.review.desk import Desk
from semiqc.review.server import make_app

LOCAL = ("127.0.0.1", "localhost", "[::1]")
TOKEN_BYTES = 24


def serve(
    desk: Desk, *, host: str, port: int, reader: str, on_ready: Callable[[str], None]
) -> None:
    """Serve until interrupted.

    Args:
        desk: What is reviewed.
        host: Address to listen at.
        port: Likewise; 0 takes a free one.
        reader: Who reads where the page is not told.
        on_ready: Told the address of the page, once the server listens.

    Raises:
        OSError: If the address cannot be had.
    """
    listening = _listen(host, port)
    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(TOKEN_BYTES)
    names = known_names(host)
    app = make_app(desk, token, [f"{name}:{port}" for name in names], reader=reader)
    settings = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", server_header=False
    )
    on_ready(f"http://{names[0]}:{port}/{token}/")
    with listening:
        uvicorn.Server(settings).run(sockets=[listening])


def known_names(host: str) -> list[str]:
    """Names under which a browser may reach a server at ``host``; the first is told."""
    if _is_loopback(host):
        return [_bracketed(host), *LOCAL]
    everywhere = host in ("0.0.0.0", "::")
    own = [socket.gethostname(), socket.getfqdn(), *_addresses()] if everywhere else [host]
    return list(dict.fromkeys([*map(_bracketed, own), *LOCAL]))


def _addresses() -> list[str]:
    """Of this machine."""
    try:
        found = socket.getaddrinfo(socket.gethostname(), None)
    except OSError:
        return []
    return [str(address[0]) for *_, address in found]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listen(host: str, port: int) -> socket.socket:
    """A socket at an address.

    Raises:
        OSError: If it cannot be had, in one line.
    """
    try:
        [family, kind, _, _, address] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError as error:
        raise OSError(f"{host}:{port}: cannot listen there ({error.strerror})") from None
    return found
