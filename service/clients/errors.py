"""What can be refused about client secrets."""

from service.core.errors import Kind, Refusal


class ClientSecretNotFound(Refusal):
    kind, code = Kind.NOT_FOUND, "client_secret_not_found"
    message = "Client secret not found."


class ClientSecretLimit(Refusal):
    kind, code = Kind.WRONG_STATE, "client_secret_limit"
    message = "This account has two client secrets. Revoke the one no longer in use first."


class NotAServiceAccount(Refusal):
    kind, code = Kind.WRONG_STATE, "not_a_service_account"
    message = "Only accounts with the role service have client secrets. Grant the role first."
