"""What can be refused about webhooks."""

from service.core.errors import Kind, Refusal


class WebhookNotFound(Refusal):
    kind, code, message = Kind.NOT_FOUND, "webhook_not_found", "Webhook not found."


class WebhookLimit(Refusal):
    kind, code = Kind.WRONG_STATE, "webhook_limit"
    message = "There are as many webhooks as there may be. Delete one first."
