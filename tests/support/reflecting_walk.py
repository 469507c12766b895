"""The walk as the official client takes it that has no proto file, only server reflection.

A program of its own: grpclib and grpcio-reflection register the same messages in one pool, so no
process can import both. It reads its task as JSON and says "walked" at the end.
"""

import json
import sys
from typing import Any

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)


class Client:
    """Calls methods by name; messages are built from what reflection tells."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._known = ProtoReflectionDescriptorDatabase(channel)
        self._pool = DescriptorPool(self._known)

    def services(self) -> set[str]:
        return set(self._known.get_services())

    def call(self, name: str, token: str = "", /, **fields: Any) -> Any:
        service, _, method = name.rpartition("/")
        found = self._pool.FindServiceByName(service).methods_by_name[method]
        kind = self._channel.unary_stream if found.server_streaming else self._channel.unary_unary
        made = kind(
            f"/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(found.output_type).FromString,
        )
        metadata = [("authorization", f"Bearer {token}")] if token else []
        answer = made(GetMessageClass(found.input_type)(**fields), metadata=metadata, timeout=30)
        return list(answer) if found.server_streaming else answer

    def refusal(self, name: str, token: str = "", /, **fields: Any) -> tuple[str, str]:
        """The status and the code of a call that must be refused."""
        try:
            self.call(name, token, **fields)
        except grpc.RpcError as error:
            trailers = dict(error.trailing_metadata())
            return error.code().name, str(trailers["error-code"])
        raise AssertionError(f"{name} was not refused")


AUTH, USERS = "arcana.auth.AuthService", "arcana.user.UserService"
EXPECTED = {
    AUTH,
    USERS,
    "arcana.role.RoleService",
    "grpc.health.v1.Health",
}


def walk(client: Client, account: dict[str, str], admin: dict[str, str]) -> None:
    assert client.services() >= EXPECTED, client.services()
    assert client.call("grpc.health.v1.Health/Check").status == 1
    made = client.call(f"{AUTH}/Register", **account)
    login = {"email": account["email"], "password": account["password"]}
    access = client.call(f"{AUTH}/Login", **login).access_token
    own = client.call(f"{AUTH}/WhoAmI", access)
    assert (own.id, own.name, list(own.roles)) == (made.id, account["name"], ["user"])
    root = client.call(f"{AUTH}/Login", **admin).access_token

    page = client.call(f"{USERS}/ListUsers", root, query=account["email"])
    assert [one.id for one in page.users] == [made.id]
    assert made.id in [one.id for one in client.call(f"{USERS}/StreamUsers", root)]
    assert client.call(f"{USERS}/UpdateUser", access, id=made.id, name="New").name == "New"
    everyone = (f"{USERS}/ListUsers", f"{USERS}/StreamUsers", "arcana.role.RoleService/ListRoles")
    for name in everyone:
        assert client.refusal(name, access) == ("PERMISSION_DENIED", "forbidden")
        assert client.refusal(name) == ("UNAUTHENTICATED", "missing_token")
    taken = client.refusal(f"{AUTH}/Register", **account)
    assert taken == ("ALREADY_EXISTS", "email_taken")

    barred = client.call(f"{USERS}/SetUserStatus", root, id=made.id, status="suspended")
    assert barred.status == "suspended"
    assert client.refusal(f"{AUTH}/WhoAmI", access) == ("UNAUTHENTICATED", "invalid_token")
    client.call(f"{USERS}/DeleteUser", root, id=made.id)
    gone = client.refusal(f"{USERS}/GetUser", root, id=made.id)
    assert gone == ("NOT_FOUND", "user_not_found")


def main(port: str) -> None:
    task = json.load(sys.stdin)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        walk(Client(channel), task["account"], task["admin"])
    sys.stdout.write("walked\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
