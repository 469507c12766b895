"""The API's documentation: the OpenAPI document, and a page that shows it and works offline."""

import json
from functools import cache
from importlib.resources import files

from sanic import Blueprint
from sanic.response import HTTPResponse

from service.transport.http.openapi import document
from service.transport.http.requests import App, Request
from service.transport.http.routes import READ, route

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing inline and nothing from elsewhere, so the page can be no way in for somebody's script."""


def docs_blueprint(version: str) -> Blueprint:
    """The routes under ``/docs``; ``version`` is the service's own."""
    blueprint = Blueprint("docs")

    @cache
    def made(app: App) -> bytes:
        return json.dumps(document(app, version), ensure_ascii=False).encode()

    @route(blueprint, READ, "/docs")
    async def docs_page(request: Request) -> HTTPResponse:
        return _asset("page.html", "text/html; charset=utf-8")

    @route(blueprint, READ, "/docs/style.css")
    async def docs_style(request: Request) -> HTTPResponse:
        return _asset("style.css", "text/css; charset=utf-8")

    @route(blueprint, READ, "/docs/script.js")
    async def docs_script(request: Request) -> HTTPResponse:
        return _asset("script.js", "text/javascript; charset=utf-8")

    @route(blueprint, READ, "/docs/openapi.json")
    async def docs_openapi(request: Request) -> HTTPResponse:
        return HTTPResponse(made(request.app), content_type="application/json")

    return blueprint


def _asset(name: str, form: str) -> HTTPResponse:
    headers = {"Content-Security-Policy": PAGE_POLICY, "Cache-Control": "no-cache"}
    return HTTPResponse(_read(name), headers=headers, content_type=form)


@cache
def _read(name: str) -> bytes:
    return files(__package__).joinpath(name).read_bytes()
