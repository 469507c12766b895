"""Who schemathesis is when it calls; loaded by its command line (SCHEMATHESIS_HOOKS).

The admin, whom nothing that it tries can take the role from; and to log out, somebody else, anew
each time, or every call after it would be refused.
"""

import os
from typing import Any

import httpx
import schemathesis
from hypothesis import strategies as st

from tests.support.served import ADMIN, PASSWORD

LEAVER = "leaver@example.com"
URL = os.environ["OPENAPI_URL"]

# Random texts of eight characters are common passwords far too often.
schemathesis.openapi.format(
    "password", st.text("abcdefghijklmnopqrstuvwxyzäöü0123456789 ", min_size=12, max_size=64)
)


def _post(path: str, **fields: str) -> httpx.Response:
    return httpx.post(f"{URL}/api/v1/auth/{path}", json=fields, trust_env=False, timeout=30)


def _signed_in(email: str) -> str:
    answer = _post("login", email=email, password=PASSWORD)
    answer.raise_for_status()
    return str(answer.json()["access_token"])


def _own_id(token: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.get(f"{URL}/api/v1/users/me", headers=headers, trust_env=False, timeout=30)
    return str(answer.json()["id"])


@schemathesis.auth(refresh_interval=None)
class Bearer:
    """Puts a good access token on every call that wants one."""

    def __init__(self) -> None:
        _post("register", name="Leaver", email=LEAVER, password=PASSWORD)
        self._admin, self._is_old = _signed_in(ADMIN), False

    def get(self, case: Any, context: Any) -> str:
        if context.operation.path.endswith("logout"):
            return _signed_in(LEAVER)
        if self._is_old:
            self._admin = _signed_in(ADMIN)
        self._is_old = "{user_id}/roles" in context.operation.path  # may outdate the token
        return self._admin

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """The admin is spared what another admin, whom it made itself, could do to it."""
    return case.method == "GET" or (case.path_parameters or {}).get("user_id") != ROOT_ID


ROOT_ID = _own_id(_signed_in(ADMIN))
