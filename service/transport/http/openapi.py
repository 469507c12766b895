"""The OpenAPI 3.1 document, made from the routes of an application."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from service.core.access import Anyone, Owner, Role, Rule, Self, SignedIn
from service.core.errors import (
    EtagMismatch,
    Forbidden,
    IdempotencyMismatch,
    InsufficientScope,
    Invalid,
    InvalidToken,
    Kind,
    MissingToken,
    Refusal,
    Unavailable,
)
from service.core.parsing import Command
from service.transport.errors import BUG, INTERNAL_CODE, WIRE, Wire
from service.transport.http.bodies import FORM, UnsupportedMediaType
from service.transport.http.errors import PROBLEM
from service.transport.http.openapi_schemas import Schemas
from service.transport.http.operations import Operation, operation_of
from service.transport.http.requests import App
from service.transport.http.routes import plain

Json = dict[str, Any]
JSON = "application/json"
_ABOUT = (
    "User management and authentication. Every refusal has one shape; switch on its `code`. "
    "The same operations are offered over gRPC."
)
_TEXT: Json = {"schema": {"type": "string"}}
_PATH_PARAMETERS: dict[str, Json] = {
    "name": {"description": "The role's name.", "schema": {"type": "string"}},
    "key_id": {"description": "The API key's id.", "schema": {"type": "string", "format": "uuid"}},
    "secret_id": {
        "description": "The client secret's id.",
        "schema": {"type": "string", "format": "uuid"},
    },
}
_TAG = r'(W/)?"[!#-~]*"'
_TAGS: Json = {
    "type": "string",
    "anyOf": [{"const": "*"}, {"pattern": rf"^{_TAG}(, *{_TAG})*$"}],
}
_IF_MATCH: Json = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "Change it only while it has one of these ETags; `*` stands for any.",
    "schema": _TAGS,
    "example": '"7"',
}
_IF_NONE_MATCH: Json = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETags that the caller holds; 304 when nothing has changed since.",
    "schema": {"type": "string"},
    "example": '"7"',
}
_IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Names this creation, best by a random UUID: sent again within 24 hours, it "
    "gives the first answer again and creates nothing.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_HEADERS: dict[str, Json] = {
    "ETag": {
        "description": "The version of what is shown, for If-Match and If-None-Match.",
        "schema": {"type": "string"},
    },
    "X-Request-ID": {
        "description": "Names this request; the caller's own where it sent a sane one.",
        "schema": {"type": "string", "maxLength": 128},
    },
    "Location": {
        "description": "Where the new thing is.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "Retry-After": {
        "description": "Whole seconds to wait.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "The scheme to authenticate with.",
        "schema": {"type": "string"},
    },
}


_SCHEMES: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The access token that log-in or refresh gave, or an API key.",
    },
    "client": {
        "type": "http",
        "scheme": "basic",
        "description": "A service account's id and one of its secrets (RFC 6749 §2.3.1).",
    },
}


@dataclass(frozen=True, slots=True)
class Routed:
    """An operation where it can be called."""

    operation: Operation
    method: str
    path: str
    tag: str


def routed(app: App) -> Iterator[Routed]:
    """Every operation of ``app``, once for each method but HEAD."""
    for route in app.router.routes:
        facts = operation_of(route.handler)
        if facts is None:
            continue
        tag = route.name.split(".")[1]
        for method in sorted(route.methods - {"HEAD"}):
            yield Routed(facts, method.lower(), plain(route.path), tag)


def document(app: App, version: str) -> Json:
    """The whole document. Order is fixed, so that two of them can be compared."""
    found = sorted(routed(app), key=lambda each: (each.tag, each.path, each.method))
    schemas = Schemas([each.operation for each in found])
    paths: dict[str, Json] = {}
    for each in found:
        path = each.path.replace("<", "{").replace(">", "}")
        paths.setdefault(path, {})[each.method] = _operation(each, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Arcana",
            "version": version,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": [{"name": tag} for tag in sorted({each.tag for each in found})],
        "paths": paths,
        "components": {
            "schemas": schemas.definitions,
            "responses": {_key(wire): _refusal_response(wire) for wire in (*WIRE.values(), BUG)},
            "headers": _HEADERS,
            "securitySchemes": _SCHEMES,
        },
    }


def _operation(each: Routed, schemas: Schemas) -> Json:
    facts, again = each.operation, each.method == "put" and each.operation.id.startswith("update")
    described: Json = {
        "operationId": facts.id + ("ByPut" if again else ""),
        "summary": facts.summary + (" (the same as PATCH)" if again else ""),
        "description": f"Who may: {who(facts.policy)}.{_by_key(facts)}",
        "tags": [each.tag],
        "responses": _responses(facts, schemas),
    }
    if _may_be_held(each):
        described["responses"]["304"] = _UNCHANGED
    if Anyone() in facts.policy:
        described["security"] = _optional(facts)
    if parameters := _parameters(each, schemas):
        described["parameters"] = parameters
    if facts.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": _content(facts.body, facts, schemas),
        }
    return described


def _optional(facts: Operation) -> list[Json]:
    """How one may, but need not, authenticate for what anyone may do."""
    if facts.basic:
        return [{}, {"client": []}]
    return [{}, {"bearer": []}] if len(facts.policy) > 1 else []


def _by_key(facts: Operation) -> str:
    """What an API key needs, where one has to authenticate."""
    if Anyone() in facts.policy:
        return ""
    return f" An API key needs the scope `{facts.scope}`." if facts.scope else " Not by API key."


def _content(body: type[Command], facts: Operation, schemas: Schemas) -> Json:
    schema = schemas.reference(body)
    content = {JSON: {"schema": schema}}
    if facts.form:  # where all is text, and nothing comes twice
        content[FORM] = {"schema": {**schema, "additionalProperties": {"type": "string"}}}
    return content


def who(policy: tuple[Rule, ...]) -> str:
    """A policy in words."""
    return " or ".join(_who(rule) for rule in policy)


def _who(rule: Rule) -> str:
    match rule:
        case Anyone():
            return "anyone"
        case SignedIn():
            return "whoever is signed in"
        case Owner():
            return "the user that it belongs to"
        case Self():
            return "the user itself"
        case Role(name):
            return f"whoever has the role `{name}`"
    raise TypeError(f"No words for {rule!r}.")


def _parameters(each: Routed, schemas: Schemas) -> list[Json]:
    in_path = [
        {"name": name, "in": "path", "required": True, **_path_parameter(name)}
        for name in re.findall(r"<(\w+)>", each.path)
    ]
    in_query = schemas.parameters(each.operation.query) if each.operation.query else []
    return in_path + in_query + _header_parameters(each)


def _path_parameter(name: str) -> Json:
    """What is said of a parameter; of a noun's id it goes without saying."""
    if name in _PATH_PARAMETERS or not name.endswith("_id"):
        return _PATH_PARAMETERS.get(name, _TEXT)
    noun = name.removesuffix("_id").replace("_", " ")
    described = f"The {noun}'s id, a UUID in its canonical form."
    return {"description": described, "schema": {"type": "string", "format": "uuid"}}


def _header_parameters(each: Routed) -> list[Json]:
    return [
        header
        for header, is_read in (
            (_IF_MATCH, each.operation.is_conditional),
            (_IF_NONE_MATCH, _may_be_held(each)),
            (_IDEMPOTENCY_KEY, each.operation.is_idempotent_by_key),
        )
        if is_read
    ]


def _may_be_held(each: Routed) -> bool:
    return each.method == "get" and each.operation.is_versioned


def _responses(facts: Operation, schemas: Schemas) -> Json:
    good: Json = {"description": "Done.", "headers": {"X-Request-ID": _header("X-Request-ID")}}
    if facts.status == 201:
        good["headers"]["Location"] = _header("Location")
    if facts.is_versioned:
        good["headers"]["ETag"] = _header("ETag")
    if facts.view is not None:
        good["content"] = {JSON: {"schema": schemas.reference(facts.view)}}
    codes: dict[Wire, list[str]] = {}
    for kind, code in refusals(facts):
        codes.setdefault(WIRE[kind], []).append(code)
    codes[BUG] = [INTERNAL_CODE]
    by_status: dict[str, Json] = {}
    for wire in sorted(codes, key=lambda wire: wire.http):
        words = ", ".join(f"`{code}`" for code in codes[wire])
        before = by_status.get(str(int(wire.http)))
        words = f"{before['description']}, {words}" if before else words
        by_status[str(int(wire.http))] = {
            "$ref": f"#/components/responses/{_key(wire)}",
            "description": words,
        }
    return {str(facts.status): good, **by_status}


def refusals(facts: Operation) -> Iterator[tuple[Kind, str]]:
    """The kinds and codes of all that can be refused, each once: declared ones and implied ones."""
    implied: list[type[Refusal]] = [Unavailable]
    if Anyone() not in facts.policy:
        implied += [MissingToken, InvalidToken, InsufficientScope]
        if SignedIn() not in facts.policy:
            implied.append(Forbidden)
    if facts.body is not None or facts.query is not None or facts.is_conditional:
        implied.append(Invalid)
    if facts.is_conditional:
        implied.append(EtagMismatch)
    if facts.is_idempotent_by_key:
        implied.append(IdempotencyMismatch)
    if facts.body is not None:
        implied.append(UnsupportedMediaType)
        yield Kind.TOO_LARGE, "too_large"
    for refusal in dict.fromkeys([*implied, *facts.refusals]):
        yield refusal.kind, refusal.code


def _refusal_response(wire: Wire) -> Json:
    headers = {"X-Request-ID": _header("X-Request-ID")}
    if wire.http in (429, 503):
        headers["Retry-After"] = _header("Retry-After")
    if wire.http == 412:
        headers["ETag"] = _header("ETag")
    if wire.http in (401, 403):
        headers["WWW-Authenticate"] = _header("WWW-Authenticate")
    return {
        "description": wire.error,
        "headers": headers,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/Refusal"}},
            PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}},
        },
    }


def _header(name: str) -> Json:
    return {"$ref": f"#/components/headers/{name}"}


_UNCHANGED: Json = {
    "description": "The caller holds this version already.",
    "headers": {"X-Request-ID": _header("X-Request-ID"), "ETag": _header("ETag")},
}


def _key(wire: Wire) -> str:
    return wire.error.replace(" ", "")
