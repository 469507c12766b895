"""What can be refused about API keys."""

from service.core.errors import Kind, Refusal


class ApiKeyNotFound(Refusal):
    kind, code, message = Kind.NOT_FOUND, "api_key_not_found", "API key not found."


class ApiKeyLimit(Refusal):
    kind, code = Kind.WRONG_STATE, "api_key_limit"
    message = "You have as many API keys as one may have. Revoke one first."
