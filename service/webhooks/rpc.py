"""Webhooks over gRPC."""

from typing import Any

from arcana_protos import webhook as pb
from betterproto.lib.google.protobuf import Empty

from service.transport.rpc.call import actor, idempotency_key, if_match, tagged
from service.transport.rpc.messages import Handlers, present
from service.webhooks.schemas import DeliveryView, WebhookView
from service.webhooks.service import WebhookService

ID = ("webhook_id",)


class WebhooksRpc(Handlers, pb.WebhookServiceBase):
    """``arcana.webhook.WebhookService``."""

    def __init__(self, webhooks: WebhookService) -> None:
        self._webhooks = webhooks

    async def create_webhook(self, message: pb.CreateWebhookRequest) -> pb.NewWebhookResponse:
        new, unkept = present(message), idempotency_key()
        webhook = tagged(await self._webhooks.create(await actor(), new, repeat_key=unkept))
        return pb.NewWebhookResponse(**_fields(webhook), secret=webhook.secret)

    async def get_webhook(self, message: pb.GetWebhookRequest) -> pb.WebhookResponse:
        return _to_webhook(tagged(await self._webhooks.get(await actor(), message.webhook_id)))

    async def list_webhooks(self, _message: Empty) -> pb.ListWebhooksResponse:
        found = await self._webhooks.list(await actor())
        return pb.ListWebhooksResponse(webhooks=[_to_webhook(view) for view in found.data])

    async def update_webhook(self, message: pb.UpdateWebhookRequest) -> pb.WebhookResponse:
        # Nobody can tell here whether a list is absent or empty, so empty changes nothing.
        left_out = ID if message.types else (*ID, "types")
        change, expected = present(message, but=left_out), if_match()
        webhook = await self._webhooks.update(
            await actor(), message.webhook_id, change, if_match=expected
        )
        return _to_webhook(tagged(webhook))

    async def delete_webhook(self, message: pb.DeleteWebhookRequest) -> Empty:
        await self._webhooks.delete(await actor(), message.webhook_id, if_match=if_match())
        return Empty()

    async def rotate_webhook_secret(
        self, message: pb.RotateWebhookSecretRequest
    ) -> pb.NewWebhookResponse:
        wanted, unkept = present(message, but=ID), idempotency_key()
        webhook = tagged(
            await self._webhooks.rotate(
                await actor(), message.webhook_id, wanted, repeat_key=unkept
            )
        )
        return pb.NewWebhookResponse(**_fields(webhook), secret=webhook.secret)

    async def test_webhook(self, message: pb.TestWebhookRequest) -> pb.TestWebhookResponse:
        told = await self._webhooks.test(await actor(), message.webhook_id)
        return pb.TestWebhookResponse(**told.model_dump())

    async def list_webhook_deliveries(
        self, message: pb.ListWebhookDeliveriesRequest
    ) -> pb.ListWebhookDeliveriesResponse:
        wanted = {name: value for name, value in present(message, but=ID).items() if value}
        found = await self._webhooks.deliveries(await actor(), message.webhook_id, wanted)
        return pb.ListWebhookDeliveriesResponse(
            deliveries=[_to_delivery(view) for view in found.data], next_after=found.next_after
        )

    async def replay_webhook(self, message: pb.ReplayWebhookRequest) -> pb.ReplayWebhookResponse:
        wanted = present(message, but=ID)
        done = await self._webhooks.replay(await actor(), message.webhook_id, wanted)
        return pb.ReplayWebhookResponse(**done.model_dump())


def _to_webhook(view: WebhookView) -> pb.WebhookResponse:
    return pb.WebhookResponse(**_fields(view))


def _fields(view: WebhookView) -> dict[str, Any]:
    """What a webhook shows of itself, with a new secret or without."""
    names = WebhookView.model_fields.keys() - {"version", "status"}
    return {name: getattr(view, name) for name in names} | {"status": view.status.value}


def _to_delivery(view: DeliveryView) -> pb.DeliveryResponse:
    return pb.DeliveryResponse(**view.model_dump())
