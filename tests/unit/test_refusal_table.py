"""THE table says of each kind of refusal what the contract says."""

import pytest

from service.core.errors import Kind
from service.transport.errors import BUG, WIRE

CONTRACT = {
    Kind.INVALID: (400, "INVALID_ARGUMENT", "Bad Request"),
    Kind.UNAUTHENTICATED: (401, "UNAUTHENTICATED", "Unauthorized"),
    Kind.FORBIDDEN: (403, "PERMISSION_DENIED", "Forbidden"),
    Kind.NOT_FOUND: (404, "NOT_FOUND", "Not Found"),
    Kind.NOT_ALLOWED: (405, "UNIMPLEMENTED", "Method Not Allowed"),
    Kind.CONFLICT: (409, "ALREADY_EXISTS", "Conflict"),
    Kind.WRONG_STATE: (409, "FAILED_PRECONDITION", "Conflict"),
    Kind.PRECONDITION: (412, "FAILED_PRECONDITION", "Precondition Failed"),
    Kind.TOO_LARGE: (413, "RESOURCE_EXHAUSTED", "Payload Too Large"),
    Kind.UNSUPPORTED: (415, "UNIMPLEMENTED", "Unsupported Media Type"),
    Kind.LIMITED: (429, "RESOURCE_EXHAUSTED", "Too Many Requests"),
    Kind.UNAVAILABLE: (503, "UNAVAILABLE", "Service Unavailable"),
}


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_called_what_the_contract_calls_it(kind: Kind) -> None:
    said = WIRE[kind]
    assert (said.http.value, said.grpc.name, said.error) == CONTRACT[kind]


def test_a_bug_is_an_internal_error() -> None:
    assert (BUG.http.value, BUG.grpc.name, BUG.error) == (500, "INTERNAL", "Internal Server Error")
