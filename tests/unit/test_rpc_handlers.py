"""Each rpc hands its service what was there, and says what came back; in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from arcana_protos import api_key, auth, client_secret, order, role, user, webhook
from arcana_protos.errors import StatusDetails as Reading
from betterproto.lib.google.protobuf import Empty
from grpclib import GRPCError
from grpclib.client import Channel
from grpclib.testing import ChannelFor

from service.api_keys.rpc import ApiKeysRpc
from service.api_keys.schemas import ApiKeyList
from service.auth.rpc import AuthRpc
from service.auth.schemas import Introspection, SessionList, SessionView, TokenPair
from service.clients.rpc import ClientsRpc
from service.clients.schemas import ClientSecretList
from service.core.access import Actor
from service.core.errors import Invalid
from service.core.paging import Page
from service.orders.rpc import OrdersRpc
from service.roles.rpc import RolesRpc
from service.roles.schemas import RoleList, RoleView
from service.transport.addresses import Callers
from service.transport.rpc.answers import StatusDetails
from service.transport.rpc.guard import Guard, Servable
from service.transport.rpc.inbound import StrictCodec
from service.transport.rpc.patience import Patience
from service.users.models import UserStatus
from service.users.rpc import UsersRpc
from service.users.schemas import ProfileView, UserView
from service.webhooks.rpc import WebhooksRpc
from service.webhooks.schemas import DeliveryList, DeliveryView, ReplayView, WebhookList
from tests.support.http_door import (
    CLIENT_TOKEN,
    KEY,
    ORDER,
    ORDERS,
    SECRET,
    TESTED,
    THEN,
    WEBHOOK,
)

NOW = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
ADA = UserView(
    id="0199c0de-0000-7000-8000-000000000001",
    email="ada@example.com",
    name="Ada",
    status=UserStatus.ACTIVE,
    email_verified=True,
    roles=["admin", "user"],
    created_at=NOW,
    updated_at=NOW + timedelta(microseconds=1),
    version=7,
)
PROFILE = ProfileView(user_id=ADA.id, bio="Counts.", updated_at=NOW, version=7)
PAIR = TokenPair(access_token="a", refresh_token="r", expires_in=3600)
AUDITOR = RoleView(name="auditor", description=None, built_in=False, created_at=NOW)


class Fake:
    """A service whose every method notes what it was given and gives what it was told to."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        async def method(actor: Actor, *given: Any, **named: Any) -> Any:
            sent = [value for value in named.values() if value is not None]
            self.calls.append((name, actor, *given, *sent))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return method

    @property
    def raw(self) -> Any:
        """What the last call was given last."""
        return self.calls[-1][-1]


def auth_rpc(service: Any) -> AuthRpc:
    """All three of its services are one fake."""
    return AuthRpc(service, service, service)


class Details(StatusDetails):
    """Written as the server does, read as our client does: in memory both use one codec."""

    decode = Reading.decode


@asynccontextmanager
async def calling(kind: Callable[[Any], Servable], service: Fake) -> AsyncIterator[Channel]:
    async def authenticate(visitor: Actor, token: str) -> Actor:
        return Actor(roles=frozenset({token}))

    guard = Guard(authenticate, patience=Patience(), max_calls=10, callers=Callers())
    served = [guard.around(kind(service))]
    async with ChannelFor(served, StrictCodec(), Details()) as channel:
        yield channel


def of_users(service: Any) -> Servable:
    return UsersRpc(service, service)


def users(channel: Channel) -> user.UserServiceStub:
    return user.UserServiceStub(channel, metadata={"authorization": "Bearer admin"})


async def test_a_user_is_said_in_full_and_to_the_microsecond() -> None:
    fake = Fake(get=ADA)
    async with calling(of_users, fake) as channel:
        said = await users(channel).get_user(user.GetUserRequest(id=ADA.id))
    assert (said.id, said.name, said.email, said.status) == (ADA.id, "Ada", ADA.email, "active")
    assert (said.created_at, said.updated_at) == (ADA.created_at, ADA.updated_at)
    assert (said.email_verified, said.roles) == (True, ["admin", "user"])
    assert fake.calls == [("get", Actor(roles=frozenset({"admin"})), ADA.id)]


@pytest.mark.parametrize(
    ("asked", "raw"),
    [
        (user.ListUsersRequest(), {}),
        (user.ListUsersRequest(page=2, size=50), {"page": 2, "size": 50}),
        (user.ListUsersRequest(page=-1, size=-5), {"page": -1, "size": -5}),
        (user.ListUsersRequest(size=101), {"size": 101}),
        (user.ListUsersRequest(status="active"), {"status": "active"}),
        (user.ListUsersRequest(status=""), {"status": ""}),
        (user.ListUsersRequest(query="ad", cursor="c"), {"q": "ad", "cursor": "c"}),
    ],
)
async def test_a_list_is_asked_for_by_what_is_there(
    asked: user.ListUsersRequest, raw: dict[str, object]
) -> None:
    fake = Fake(list=Page(data=[ADA], page=0, size=10, total=1, total_pages=1))
    async with calling(of_users, fake) as channel:
        said = await users(channel).list_users(asked)
    assert fake.raw == raw
    assert (len(said.users), said.total, said.page, said.size) == (1, 1, 0, 10)
    assert said.next_cursor is None


async def test_a_keyset_page_has_no_total_and_no_number() -> None:
    fake = Fake(list=Page(data=[], size=10, next_cursor="next"))
    async with calling(of_users, fake) as channel:
        said = await users(channel).list_users(user.ListUsersRequest(cursor="c"))
    assert (said.total, said.page, said.next_cursor) == (None, None, "next")


async def test_a_refused_query_is_named_as_the_message_names_it() -> None:
    fake = Fake(list=Invalid({"q": ["Too long."], "size": ["Too much."]}))
    async with calling(of_users, fake) as channel:
        with pytest.raises(GRPCError) as refused:
            await users(channel).list_users(user.ListUsersRequest(query="x"))
    told = {fault.field: fault.text for fault in refused.value.details.errors}
    assert told == {"query": "Too long.", "size": "Too much."}


async def test_a_stream_of_users_is_closed_down_to_the_service_when_its_caller_leaves() -> None:
    seen = SimpleNamespace(raw=None, closed=False)

    class Streaming(Fake):
        def stream(self, actor: Actor, raw: dict[str, object]) -> AsyncIterator[UserView]:
            seen.raw = raw
            return self._views()

        async def _views(self) -> AsyncIterator[UserView]:
            try:
                while True:
                    await asyncio.sleep(0)  # the client lives in the same loop
                    yield ADA
            finally:
                seen.closed = True

    async with calling(of_users, Streaming()) as channel:
        answers = users(channel).stream_users(user.ListUsersRequest(query="a"))
        assert (await anext(answers)).id == ADA.id
        await answers.aclose()  # type: ignore[attr-defined]  # the stub makes it with yield
        async with asyncio.timeout(5):
            while not seen.closed:
                await asyncio.sleep(0.01)
    assert seen.raw == {"q": "a"}


async def test_what_is_not_optional_is_handed_over_even_when_empty() -> None:
    fake = Fake(create=ADA)
    async with calling(of_users, fake) as channel:
        await users(channel).create_user(user.CreateUserRequest(email="a@example.com"))
    assert fake.raw == {"name": "", "email": "a@example.com", "password": ""}


@pytest.mark.parametrize(
    ("asked", "raw"),
    [
        (user.UpdateUserRequest(id="i"), {}),
        (user.UpdateUserRequest(id="i", name=""), {"name": ""}),
        (
            user.UpdateUserRequest(id="i", email="e", current_password="p"),
            {"email": "e", "current_password": "p"},
        ),
    ],
)
async def test_only_the_present_fields_of_a_change_are_handed_over(
    asked: user.UpdateUserRequest, raw: dict[str, object]
) -> None:
    fake = Fake(update=ADA)
    async with calling(of_users, fake) as channel:
        await users(channel).update_user(asked)
    assert fake.calls[-1][2:] == ("i", raw)


async def test_a_present_empty_text_clears_a_field_of_a_profile() -> None:
    fake = Fake(update_profile=PROFILE)
    async with calling(of_users, fake) as channel:
        asked = user.UpdateProfileRequest(id=ADA.id, phone="", bio="Counts.")
        said = await users(channel).update_profile(asked)
    assert fake.raw == {"phone": None, "bio": "Counts."}
    assert (said.bio, said.phone, said.avatar_url, said.updated_at) == ("Counts.", None, None, NOW)


async def test_a_profile_nobody_wrote_has_no_time() -> None:
    fake = Fake(profile=ProfileView(user_id=ADA.id, version=7))
    async with calling(of_users, fake) as channel:
        said = await users(channel).get_profile(user.GetProfileRequest(id=ADA.id))
    assert (said.user_id, said.updated_at) == (ADA.id, None)


async def test_status_and_deletion_reach_the_service() -> None:
    fake = Fake(set_status=ADA)
    async with calling(of_users, fake) as channel:
        await users(channel).set_user_status(user.SetUserStatusRequest(id="i", status="odd"))
        await users(channel).delete_user(user.DeleteUserRequest(id="i"))
    assert [call[0] for call in fake.calls] == ["set_status", "delete"]
    assert fake.calls[0][2:] == ("i", {"status": "odd"})


async def test_what_the_metadata_demands_reaches_the_service() -> None:
    fake = Fake(update=ADA, create=ADA)
    async with calling(of_users, fake) as channel:
        stub = user.UserServiceStub(channel)
        metadata = [("if-match", '"6"'), ("if-match", 'W/"7"')]
        await stub.update_user(user.UpdateUserRequest(id="i", name="n"), metadata=metadata)
        await stub.create_user(user.CreateUserRequest(), metadata={"idempotency-key": "k"})
    assert [call[-1] for call in fake.calls] == ['"6", W/"7"', "k"]


async def test_public_rpcs_get_a_visitor_whatever_the_token() -> None:
    fake = Fake(register=ADA, login=PAIR, refresh=PAIR)
    async with calling(auth_rpc, fake) as channel:
        stub = auth.AuthServiceStub(channel, metadata={"authorization": "Bearer admin"})
        await stub.register(auth.RegisterRequest(name="n", email="e", password="p"))
        said = await stub.login(auth.LoginRequest(email="e", password="p"))
        await stub.refresh(auth.RefreshRequest(refresh_token="r"))
    assert [call[1] for call in fake.calls] == [Actor()] * 3
    assert [call[2] for call in fake.calls] == [
        {"name": "n", "email": "e", "password": "p"},
        {"email": "e", "password": "p"},
        {"refresh_token": "r"},
    ]
    assert said.to_pydict() == {
        "accessToken": "a",
        "refreshToken": "r",
        "tokenType": "Bearer",
        "expiresIn": 3600,
    }


async def test_a_session_is_ended_or_all_of_them() -> None:
    fake = Fake(who_am_i=ADA)
    async with calling(auth_rpc, fake) as channel:
        stub = auth.AuthServiceStub(channel, metadata={"authorization": "Bearer user"})
        await stub.logout(auth.LogoutRequest())
        await stub.logout(auth.LogoutRequest(all=True))
        assert (await stub.who_am_i(Empty())).id == ADA.id
    actor = Actor(roles=frozenset({"user"}))
    assert fake.calls == [
        ("logout", actor, False),
        ("logout", actor, True),
        ("who_am_i", actor),
    ]


async def test_sessions_are_listed_and_ended() -> None:
    shown = SessionView(
        id=ADA.id,
        created_at=NOW,
        last_used_at=NOW,
        expires_at=NOW + timedelta(days=7),
        device="curl",
        user_agent="curl/8",
        address=None,
        current=True,
        ended_at=None,
        ended_why=None,
    )
    fake = Fake(list=SessionList(data=[shown], more=False))
    async with calling(auth_rpc, fake) as channel:
        stub = auth.AuthServiceStub(channel)
        said = await stub.list_sessions(auth.ListSessionsRequest(user_id="i", ended=True))
        await stub.revoke_session(auth.RevokeSessionRequest(user_id="i", session_id="s"))
        await stub.revoke_other_sessions(auth.RevokeOtherSessionsRequest(user_id="i"))
        change = auth.ChangePasswordRequest(user_id="i", current_password="a", password="b")
        await stub.change_password(change)
    assert [(name, *given) for name, _, *given in fake.calls] == [
        ("list", "i", {"ended": True}),
        ("end", "i", "s"),
        ("end_others", "i"),
        ("change_password", "i", {"current_password": "a", "password": "b"}),
    ]
    (session,) = said.sessions
    assert (session.device, session.address, session.ended_at) == ("curl", None, None)
    assert (session.current, session.expires_at) == (True, shown.expires_at)


async def test_an_inactive_token_tells_nothing_but_that() -> None:
    fake = Fake(introspect=Introspection(active=False))
    async with calling(auth_rpc, fake) as channel:
        said = await auth.AuthServiceStub(channel).introspect(auth.IntrospectRequest(token="t"))
    assert fake.raw == {"token": "t"}
    assert bytes(said) == b""


async def test_an_active_token_tells_its_claims() -> None:
    found = Introspection(active=True, sub="s", exp=2_000_000_000, roles=["user"], aud="arcana")
    fake = Fake(introspect=found)
    async with calling(auth_rpc, fake) as channel:
        asked = auth.IntrospectRequest(token="t", token_type_hint="access_token")
        said = await auth.AuthServiceStub(channel).introspect(asked)
    assert fake.raw == {"token": "t", "token_type_hint": "access_token"}
    assert (said.active, said.sub, said.exp, said.roles) == (True, "s", 2_000_000_000, ["user"])


async def test_roles_are_listed_made_and_given() -> None:
    fake = Fake(list=RoleList(data=[AUDITOR]), create=AUDITOR)
    async with calling(RolesRpc, fake) as channel:
        stub = role.RoleServiceStub(channel)
        (said,) = (await stub.list_roles(Empty())).roles
        await stub.create_role(role.CreateRoleRequest(name="auditor"))
        await stub.create_role(role.CreateRoleRequest(name="auditor", description=""))
        await stub.grant_role(role.GrantRoleRequest(user_id="i", name="auditor"))
        await stub.revoke_role(role.RevokeRoleRequest(user_id="i", name="auditor"))
        await stub.delete_role(role.DeleteRoleRequest(name="auditor"))
    assert (said.name, said.description, said.built_in) == ("auditor", None, False)
    assert said.created_at == NOW
    assert [call[2:] for call in fake.calls] == [
        (),
        ({"name": "auditor"},),
        ({"name": "auditor", "description": ""},),
        ("i", "auditor"),
        ("i", "auditor"),
        ("auditor",),
    ]


async def test_api_keys_are_made_listed_and_revoked() -> None:
    fake = Fake(create=KEY, list=ApiKeyList(data=[KEY]))
    async with calling(ApiKeysRpc, fake) as channel:
        stub = api_key.ApiKeyServiceStub(channel, metadata={"idempotency-key": "k"})
        asked = api_key.CreateApiKeyRequest(user_id="i", name="n", scopes=["s"])
        made = await stub.create_api_key(asked)
        (listed,) = (await stub.list_api_keys(api_key.ListApiKeysRequest(user_id="i"))).keys
        await stub.revoke_api_key(api_key.RevokeApiKeyRequest(user_id="i", key_id="x"))
    assert (made.key, made.scopes, made.created_at) == (KEY.key, KEY.scopes, THEN)
    assert (made.expires_at, made.last_used_at) == (None, None)
    assert (listed.id, listed.hint) == (KEY.id, KEY.hint)
    assert [call[2:] for call in fake.calls] == [
        ("i", {"name": "n", "scopes": ["s"]}, "k"),
        ("i",),
        ("i", "x"),
    ]


async def test_client_secrets_are_made_listed_and_revoked() -> None:
    fake = Fake(create_secret=SECRET, list_secrets=ClientSecretList(data=[SECRET]))
    async with calling(ClientsRpc, fake) as channel:
        stub = client_secret.ClientSecretServiceStub(channel)
        asked = client_secret.CreateClientSecretRequest(user_id="i", expires_in_days=3)
        made = await stub.create_client_secret(asked)
        wanted = client_secret.ListClientSecretsRequest(user_id="i")
        (listed,) = (await stub.list_client_secrets(wanted)).secrets
        gone = client_secret.RevokeClientSecretRequest(user_id="i", secret_id="x")
        await stub.revoke_client_secret(gone)
    assert (made.client_secret, made.client_id) == (SECRET.client_secret, SECRET.client_id)
    assert (listed.hint, listed.expires_at, listed.last_used_at) == (SECRET.hint, None, THEN)
    assert [call[2:] for call in fake.calls] == [("i", {"expires_in_days": 3}), ("i",), ("i", "x")]


async def test_webhooks_are_made_rotated_changed_and_shown() -> None:
    fake = Fake(
        **dict.fromkeys(("create", "get", "update", "rotate"), WEBHOOK),
        list=WebhookList(data=[WEBHOOK]),
    )
    async with calling(WebhooksRpc, fake) as channel:
        stub = webhook.WebhookServiceStub(channel)
        made = await stub.create_webhook(webhook.CreateWebhookRequest(url="u", types=["user.*"]))
        (listed,) = (await stub.list_webhooks(Empty())).webhooks
        shown = await stub.get_webhook(webhook.GetWebhookRequest(webhook_id="w"))
        ask = webhook.RotateWebhookSecretRequest
        turned = await stub.rotate_webhook_secret(ask(webhook_id="w", overlap_hours=0))
        change = webhook.UpdateWebhookRequest
        await stub.update_webhook(change(webhook_id="w", types=["*"], status="enabled"))
        await stub.update_webhook(change(webhook_id="w", description=""))
        await stub.delete_webhook(webhook.DeleteWebhookRequest(webhook_id="w"))
    assert made.secret == turned.secret == WEBHOOK.secret
    assert listed == shown
    assert (shown.status, shown.failing_since, shown.error) == ("failing", THEN, "status 500")
    assert shown.previous_secret_until is None
    assert [call[2:] for call in fake.calls] == [
        ({"url": "u", "description": "", "types": ["user.*"]},),
        (),
        ("w",),
        ("w", {"overlap_hours": 0}),
        ("w", {"types": ["*"], "status": "enabled"}),
        ("w", {"description": ""}),
        ("w",),
    ]


async def test_webhooks_are_tested_replayed_and_their_backlog_is_listed() -> None:
    waiting = DeliveryView(
        event_id=ADA.id,
        position=2**40,
        type="arcana.user.created",
        subject="users/1",
        happened_at=NOW,
        state="waiting",
        attempts=3,
        due_at=THEN,
        error="status 500",
    )
    fake = Fake(
        test=TESTED,
        deliveries=DeliveryList(data=[waiting], next_after=2**40),
        replay=ReplayView(replayed=2, next_position=None),
    )
    async with calling(WebhooksRpc, fake) as channel:
        stub = webhook.WebhookServiceStub(channel)
        tested = await stub.test_webhook(webhook.TestWebhookRequest(webhook_id="w"))
        ask = webhook.ListWebhookDeliveriesRequest
        found = await stub.list_webhook_deliveries(ask(webhook_id="w", after=7, size=1))
        await stub.list_webhook_deliveries(ask(webhook_id="w"))
        again = webhook.ReplayWebhookRequest
        done = await stub.replay_webhook(again(webhook_id="w", since=NOW, from_position=9))
        await stub.replay_webhook(again(webhook_id="w"))
    assert (tested.taken, tested.status, tested.error) == (False, 500, "status 500")
    (one,) = found.deliveries
    assert (one.position, one.happened_at, one.due_at) == (2**40, NOW, THEN)
    assert found.next_after == 2**40
    assert (done.replayed, done.next_position) == (2, None)
    assert [call[2:] for call in fake.calls] == [
        ("w",),
        ("w", {"after": 7, "size": 1}),
        ("w", {}),
        ("w", {"from_position": 9, "since": NOW}),
        ("w", {}),
    ]


async def test_a_client_logs_in_as_a_visitor() -> None:
    fake = Fake(issue_token=CLIENT_TOKEN)
    async with calling(auth_rpc, fake) as channel:
        stub = auth.AuthServiceStub(channel, metadata={"authorization": "Bearer admin"})
        said = await stub.issue_token(auth.IssueTokenRequest(client_id="i", client_secret="s"))
    assert (said.access_token, said.token_type, said.expires_in) == ("a.b.c", "Bearer", 3600)
    asked = {"client_id": "i", "client_secret": "s", "grant_type": "client_credentials"}
    assert fake.calls == [("issue_token", Actor(), asked)]


async def test_an_order_is_made_of_lines_and_said_in_full() -> None:
    fake = Fake(create=ORDER)
    async with calling(OrdersRpc, fake) as channel:
        stub = order.OrderServiceStub(channel, metadata={"idempotency-key": "k"})
        line = order.OrderItem(sku="s", name="n", quantity=2, unit_price="4.5")
        said = await stub.create_order(order.CreateOrderRequest(currency="EUR", items=[line]))
    given = {"sku": "s", "name": "n", "quantity": 2, "unit_price": "4.5"}
    assert fake.calls[0][2:] == ({"currency": "EUR", "items": [given]}, "k")
    assert (said.id, said.user_id, said.status) == (ORDER.id, ORDER.user_id, "pending")
    assert (said.currency, said.total, said.created_at) == ("EUR", "9.00", THEN)
    assert [one.to_dict() for one in said.items] == [
        {"sku": "TEA-1", "name": "Green tea", "quantity": 2, "unitPrice": "4.50"}
    ]


async def test_every_step_of_an_order_hands_on_its_id_and_what_is_demanded() -> None:
    fake = Fake(**dict.fromkeys(("get", "pay", "ship", "deliver", "cancel"), ORDER))
    async with calling(OrdersRpc, fake) as channel:
        stub = order.OrderServiceStub(channel, metadata={"if-match": '"7"'})
        await stub.get_order(order.GetOrderRequest(id="i"))
        await stub.pay_order(order.PayOrderRequest(id="i"))
        await stub.ship_order(order.ShipOrderRequest(id="i"))
        await stub.deliver_order(order.DeliverOrderRequest(id="i"))
        await stub.cancel_order(order.CancelOrderRequest(id="i"))
    assert [(call[0], *call[2:]) for call in fake.calls] == [
        ("get", "i"),
        *((name, "i", '"7"') for name in ("pay", "ship", "deliver", "cancel")),
    ]


@pytest.mark.parametrize(
    ("asked", "raw"),
    [
        (order.ListOrdersRequest(), {}),
        (order.ListOrdersRequest(page=-1, size=5), {"page": -1, "size": 5}),
        (order.ListOrdersRequest(status="", user_id=""), {"status": "", "user_id": ""}),
        (order.ListOrdersRequest(user_id="u", cursor="c"), {"user_id": "u", "cursor": "c"}),
    ],
)
async def test_orders_are_asked_for_by_what_is_there(
    asked: order.ListOrdersRequest, raw: dict[str, object]
) -> None:
    fake = Fake(list=ORDERS)
    async with calling(OrdersRpc, fake) as channel:
        said = await order.OrderServiceStub(channel).list_orders(asked)
    assert fake.raw == raw
    assert (len(said.orders), said.total, said.page, said.next_cursor) == (1, 1, 0, None)
