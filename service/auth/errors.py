"""What can be refused at log-in and registration."""

from service.core.errors import Kind, Refusal


class InvalidCredentials(Refusal):
    """One answer for an unknown account, a wrong password and an account that may not sign in."""

    kind, code = Kind.UNAUTHENTICATED, "invalid_credentials"
    message = "The e-mail or the password is wrong, or the account may not sign in."


class RegistrationClosed(Refusal):
    kind, code = Kind.FORBIDDEN, "registration_closed"
    message = "Registration is closed. Ask an administrator for an account."
