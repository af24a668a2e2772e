"""The addresses of the review page. Clients name studies by number, never by a path."""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from semiqc.doors.regular import UnusableError
from semiqc.review.desk import REASONS, Desk, RefusedError
from semiqc.review.guard import Guard

PAGE = "page.html.j2"
KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
LARGEST_BODY = 2**16
"""Bytes that a client may send."""

Action = Callable[[Mapping[str, Any]], dict[str, Any]]
"""What is done with what the page sends."""


def make_app(desk: Desk, token: str, hosts: Collection[str], *, reader: str) -> ASGIApp:
    """The whole server.

    Args:
        desk: What is reviewed.
        token: Without which nothing is answered.
        hosts: Names with port under which the server is known.
        reader: Who reads where the page is not told.
    """
    return Guard(Starlette(routes=_routes(desk, token, reader)), token, hosts)


def _routes(desk: Desk, token: str, reader: str) -> list[Route]:
    answers, page = _Answers(desk, reader), _page(reader)
    root = f"/{token}"
    study = f"{root}/study/{{item:int}}"
    return [
        Route(f"{root}/", lambda _: HTMLResponse(page)),
        Route(f"{root}/page/{{name}}", answers.asset),
        Route(f"{root}/queue", answers.queue),
        Route(f"{study}/about", answers.about),
        Route(f"{study}/film/{{modality:int}}", answers.film),
        Route(f"{study}/revealed", answers.revealed),
        Route(f"{study}/heat/{{rank:int}}", answers.heat),
        Route(f"{study}/grades", answers.grades),
        *(
            Route(f"{root}/{name}", _posted(do), methods=["POST"])
            for name, do in _actions(desk).items()
        ),
    ]


class _Answers:
    """What is answered to whom asks.

    Args:
        desk: What is reviewed.
        reader: Who reads where the page is not told.
    """

    def __init__(self, desk: Desk, reader: str) -> None:
        self.desk = desk
        self.reader = reader
        self.assets = _assets()

    def asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self.assets:
            return Response("not found", 404)
        return Response(self.assets[name], media_type=KINDS[name[name.rindex(".") :]])

    def queue(self, request: Request) -> Response:
        return _answered(lambda: self.desk.queue(self._reader(request)))

    def grades(self, request: Request) -> Response:
        reader, item = self._reader(request), request.path_params["item"]
        return _answered(lambda: {"grades": self.desk.grades(reader, item)})

    def about(self, request: Request) -> Response:
        return self._opened(request, self.desk.shown.about, "application/json")

    def film(self, request: Request) -> Response:
        modality = request.path_params["modality"]
        return self._opened(request, lambda n: self.desk.shown.film(n, modality), "image/jpeg")

    def revealed(self, request: Request) -> Response:
        if self.desk.blind:
            return _blind()
        return self._opened(request, self.desk.shown.revealed, "application/json")

    def heat(self, request: Request) -> Response:
        if self.desk.blind:
            return _blind()
        rank = request.path_params["rank"]
        return self._opened(request, lambda n: self.desk.shown.heat(n, rank), "image/jpeg")

    def _reader(self, request: Request) -> str:
        return request.query_params.get("reader", self.reader)

    def _opened(self, request: Request, make: Callable[[int], bytes], kind: str) -> Response:
        """What is made of the study whose number the path has."""
        number = request.path_params["item"]
        if not number < len(self.desk.items):
            return JSONResponse({"refused": "no such study"}, 404)
        try:
            return Response(make(number), media_type=kind)
        except UnusableError as error:
            return JSONResponse({"refused": str(error)}, 422)


def _blind() -> Response:
    return JSONResponse({"refused": "this review is blind"}, 403)


def _actions(desk: Desk) -> dict[str, Action]:
    return {
        "verdict": desk.give,
        "undo": desk.undo,
        "later": desk.put_off,
        "grade": desk.grade,
    }


def _posted(do: Action) -> Callable[[Request], Awaitable[Response]]:
    """What answers a small JSON object that the page sends."""

    async def answer(request: Request) -> Response:
        if request.headers.get("content-type", "") != "application/json":
            return JSONResponse({"refused": "expected application/json"}, 415)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_BODY:
                return JSONResponse({"refused": "too long"}, 413)
        try:
            sent = json.loads(body)
        except (ValueError, RecursionError):
            return JSONResponse({"refused": "not JSON"}, 400)
        if not isinstance(sent, dict):
            return JSONResponse({"refused": "expected an object"}, 400)
        return await run_in_threadpool(_answered, lambda: do(sent))

    return answer


def _answered(ask: Callable[[], dict[str, Any]]) -> Response:
    try:
        return JSONResponse(ask())
    except RefusedError as error:
        return JSONResponse({"refused": str(error)}, 400)
    except UnusableError as error:
        return JSONResponse({"refused": str(error)}, 503)


def _assets() -> dict[str, bytes]:
    """Scripts and styles by name, read once."""
    folder = files("semiqc.review") / "page"
    return {
        one.name: one.read_bytes()
        for one in folder.iterdir()
        if one.name[one.name.rfind(".") :] in KINDS
    }


def _page(reader: str) -> str:
    environment = Environment(
        loader=PackageLoader("semiqc.review", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(PAGE).render(reader=reader, reasons=REASONS)
