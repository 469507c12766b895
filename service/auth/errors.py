"""What can be refused at log-in and registration."""

from service.core.errors import Kind, Refusal


class InvalidCredentials(Refusal):
    """One answer for an unknown account, a wrong password and an account that may not sign in."""

    kind, code = Kind.UNAUTHENTICATED, "invalid_credentials"
    message = "The e-mail or the password is wrong, or the account may not sign in."


class SessionNotFound(Refusal):
    kind, code = Kind.NOT_FOUND, "session_not_found"
    message = "No such session, or it has ended."


class InvalidClient(Refusal):
    """One answer for whatever is wrong with a client and its secret (RFC 6749 §5.2)."""

    kind, code, scheme = Kind.UNAUTHENTICATED, "invalid_client", "Basic"
    message = "The client_id or the client_secret is wrong, or the account may not sign in."


class UnsupportedGrantType(Refusal):
    kind, code = Kind.INVALID, "unsupported_grant_type"
    message = "Only grant_type=client_credentials is offered here."


class RegistrationClosed(Refusal):
    kind, code = Kind.FORBIDDEN, "registration_closed"
    message = "Registration is closed. Ask an administrator for an account."
