"""The OpenAPI document is whole and true, and its page needs nobody else."""

import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import SecretStr

from config.settings import Settings
from service.app import create_app
from service.core.errors import Kind
from service.transport.errors import WIRE
from service.transport.http.openapi import document, refusals, routed
from service.transport.http.operations import operation_of
from service.transport.http.requests import App
from tests.support.http_door import VERSION, Door

Json = dict[str, Any]
RAISES = re.compile(r"Raises:\s*([A-Z]\w+(?:,\s*[A-Z]\w+)*)")
IMPLIED = {
    *("Invalid", "Unavailable", "InvalidToken", "MissingToken", "Forbidden"),
    *("EtagMismatch", "IdempotencyMismatch", "InsufficientScope"),
}


@pytest.fixture(name="made")
def made_document() -> Json:
    return document(Door().app, VERSION)


@pytest.fixture(name="whole", scope="module")
def whole_application() -> App:
    """The application as it is served: a noun is in it though nobody told ``Door``."""
    app = create_app(Settings(jwt_secret=SecretStr("-" * 32)), name="described")
    app.finalize()
    return app


def operations(made: Json) -> list[tuple[str, str, Json]]:
    return [(path, method, each) for path, m in made["paths"].items() for method, each in m.items()]


def test_the_document_is_valid(whole: App) -> None:
    made = document(whole, VERSION)
    assert made["openapi"] == "3.1.0"
    assert [fault.message for fault in OpenAPIV31SpecValidator(made).iter_errors()] == []


def test_every_route_but_the_docs_is_described_and_nothing_else(made: Json) -> None:
    routes = {
        ("/" + re.sub(r"<(\w+)(:\w+)?>", r"{\1}", route.path), method.lower())
        for route in Door().app.router.routes
        for method in route.methods - {"HEAD"}
        if not route.path.startswith("docs")
    }
    assert routes == {(path, method) for path, method, _ in operations(made)}


def test_operation_ids_are_unique(whole: App) -> None:
    ids = [each["operationId"] for _, _, each in operations(document(whole, VERSION))]
    assert len(ids) == len(set(ids))


def test_every_operation_says_who_may_and_how_to_authenticate(made: Json) -> None:
    public = {each["operationId"] for _, _, each in operations(made) if each.get("security") == []}
    assert public == {"register", "login", "refresh", "health", "live"}
    by_id = {each["operationId"]: each for _, _, each in operations(made)}
    assert by_id["issueToken"]["security"] == [{}, {"client": []}]
    assert all(each["description"].startswith("Who may: ") for _, _, each in operations(made))
    assert made["security"] == [{"bearer": []}]


def test_every_operation_that_is_not_public_says_what_an_api_key_needs(made: Json) -> None:
    by_id = {each["operationId"]: each["description"] for _, _, each in operations(made)}
    assert by_id["listUsers"].endswith(" An API key needs the scope `users:read`.")
    assert by_id["logout"].endswith(" Not by API key.")
    assert "API key" not in by_id["login"]
    assert "`insufficient_scope`" in str(made["paths"]["/api/v1/auth/me"]["get"]["responses"])


def test_a_service_methods_refusals_are_the_documents(whole: App) -> None:
    """What a method's ``Raises:`` says is what its operation declares, beyond what is implied."""
    for each in routed(whole):
        facts = each.operation
        if facts.method is None:
            continue
        said = RAISES.search(facts.method.__doc__ or "")
        raised = set(re.split(r",\s*", said[1])) if said else set()
        declared = {refusal.__name__ for refusal in facts.refusals}
        assert declared - IMPLIED == raised - IMPLIED, facts.id


def test_what_a_method_reads_of_the_headers_is_in_its_operation(made: Json) -> None:
    read: dict[str, set[str]] = {}
    for _, _, each in operations(made):
        for parameter in each.get("parameters", ()):
            if parameter["in"] == "header":
                read.setdefault(parameter["name"], set()).add(each["operationId"])
    changes = {"updateUser", "updateUserByPut", "updateOwnUser", "updateOwnUserByPut"}
    hooks = {"updateWebhook", "deleteWebhook"}
    moves = {"payOrder", "shipOrder", "deliverOrder", "cancelOrder"}
    assert read == {
        "If-Match": changes | {"setUserStatus", "deleteUser", "updateProfile"} | moves | hooks,
        "If-None-Match": {
            *("getUser", "getOwnUser", "whoAmI", "getProfile", "getOrder", "getWebhook"),
        },
        "Idempotency-Key": {"register", "createUser", "createRole", "createOrder"},
    }


def test_what_shows_a_version_has_an_etag_and_the_version_is_no_field(made: Json) -> None:
    by_id = {each["operationId"]: each for _, _, each in operations(made)}
    assert "ETag" in by_id["getUser"]["responses"]["200"]["headers"]
    assert "ETag" in by_id["getUser"]["responses"]["304"]["headers"]
    assert "`etag_mismatch`" in by_id["deleteUser"]["responses"]["412"]["description"]
    assert "`idempotency_mismatch`" in by_id["register"]["responses"]["409"]["description"]
    for name in ("UserView", "ProfileView", "OrderView"):
        schema = made["components"]["schemas"][name]
        assert "version" not in schema["properties"]
        assert "version" not in schema["required"]


def test_every_code_stands_at_its_status(made: Json) -> None:
    by_id = {each["operationId"]: each for _, _, each in operations(made)}
    for each in routed(Door().app):
        responses = by_id[each.operation.id]["responses"]
        for kind, code in refusals(each.operation):
            assert f"`{code}`" in responses[str(int(WIRE[kind].http))]["description"]


def test_every_kind_of_refusal_has_one_reusable_response(made: Json) -> None:
    responses = made["components"]["responses"]
    assert set(responses) == {wire.error.replace(" ", "") for wire in WIRE.values()} | {
        "InternalServerError"
    }
    assert "WWW-Authenticate" in responses["Unauthorized"]["headers"]
    assert "Retry-After" in responses[WIRE[Kind.LIMITED].error.replace(" ", "")]["headers"]


def test_what_is_always_sent_is_required(made: Json) -> None:
    schemas = made["components"]["schemas"]
    for name in ("UserView", "ProfileView", "RoleView", "TokenPair"):
        assert schemas[name]["required"] == list(schemas[name]["properties"])
    assert schemas["UserPage"]["required"] == ["data", "size", "next_cursor"]
    assert schemas["Introspection"]["required"] == ["active"]
    assert schemas["Refusal"]["required"] == ["error", "message", "code", "request_id"]


def test_commands_take_no_unknown_fields_and_patterns_are_portable(made: Json) -> None:
    schemas = made["components"]["schemas"]
    assert schemas["CreateUser"]["additionalProperties"] is False
    assert r"\z" not in str(schemas)


def test_the_query_of_a_list_is_described(made: Json) -> None:
    parameters = {
        each["name"]: each for each in made["paths"]["/api/v1/users"]["get"]["parameters"]
    }
    assert set(parameters) == {"page", "size", "status", "q", "cursor"}
    assert parameters["size"]["schema"]["maximum"] == 100
    logout = made["paths"]["/api/v1/auth/logout"]["post"]["parameters"]
    assert [each["name"] for each in logout] == ["all"]


def test_introspection_may_come_as_a_form(made: Json) -> None:
    content = made["paths"]["/api/v1/auth/introspect"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "application/x-www-form-urlencoded"}


async def test_the_document_is_served() -> None:
    door = Door()
    answer = await door.call("GET", "/docs/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == document(door.app, VERSION)


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/docs", "text/html; charset=utf-8"),
        ("/docs/style.css", "text/css; charset=utf-8"),
        ("/docs/script.js", "text/javascript; charset=utf-8"),
    ],
)
async def test_the_page_needs_no_other_host_and_nothing_inline(path: str, form: str) -> None:
    answer = await Door().call("GET", path)
    assert answer.headers["content-type"] == form
    assert re.findall(r"(?:https?:)?//[\w.-]+\.\w+", answer.text) == []
    assert not re.search(r"<style|style=|<script(?! src=\"/docs/)| on\w+=\"|@import", answer.text)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy


async def test_the_page_keeps_the_token_nowhere() -> None:
    script = (await Door().call("GET", "/docs/script.js")).text
    assert not re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie", script)
    assert "innerHTML" not in script


def test_the_docs_themselves_are_no_operation() -> None:
    routes = [route for route in Door().app.router.routes if route.path.startswith("docs")]
    assert len(routes) == 4
    assert all(operation_of(route.handler) is None for route in routes)
