"""What can be refused about users."""

from service.core.errors import Kind, Refusal


class UserNotFound(Refusal):
    kind, code, message = Kind.NOT_FOUND, "user_not_found", "User not found."


class EmailTaken(Refusal):
    kind, code, message = Kind.CONFLICT, "email_taken", "That e-mail is already registered."


class WrongPassword(Refusal):
    kind, code = Kind.FORBIDDEN, "wrong_password"
    message = "current_password is not the account's password."


class LastAdmin(Refusal):
    kind, code = Kind.WRONG_STATE, "last_admin"
    message = "This is the last active admin. Make another admin first."
