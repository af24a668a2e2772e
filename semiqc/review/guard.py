"""Who may ask the server, and what a browser may do with its answers."""

import secrets
from collections.abc import Collection
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
SAME_SITE = ("same-origin", "none")
"""What browsers say of requests of the page itself, and of an address that a person typed."""


class Guard:
    """Lets through requests that bear the token and come from the page itself.

    The name that a request is sent to is checked, so that a page elsewhere cannot reach the
    server by a name that it makes point to this machine; and its origin, so that no other page's
    script is answered.

    Args:
        app: What answers.
        token: First part of every path.
        hosts: Names with port under which the server is known.
    """

    def __init__(self, app: ASGIApp, token: str, hosts: Collection[str]) -> None:
        self.app = app
        self.token = token
        self.hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        answer = PlainTextResponse(refusal[1], refusal[0]) if refusal else self.app
        await answer(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and reason where a request is refused."""
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if host not in self.hosts:
            return 421, "unknown host"
        origin = headers.get("origin")
        if origin is not None and origin.lower() != f"http://{host}":
            return 403, "other origin"
        if headers.get("sec-fetch-site", "none") not in SAME_SITE:
            return 403, "other site"
        given = scope["path"].split("/")[1].encode()
        if not secrets.compare_digest(given, self.token.encode()):
            return 404, "not found"
        return None


def _with_headers(send: Send) -> Any:  # noqa: ANN401
    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return send_guarded
