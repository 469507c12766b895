"""What can be refused about keys."""

from service.core.errors import Kind, Refusal


class KeyNotFound(Refusal):
    kind, code, message = Kind.NOT_FOUND, "key_not_found", "There is no key of that name."


class KeyInUse(Refusal):
    kind, code = Kind.WRONG_STATE, "key_in_use"
    message = "This key signs. Rotate the keys first, then retire it."


class KeysChanged(Refusal):
    kind, code = Kind.WRONG_STATE, "keys_changed"
    message = "Somebody else changed the keys at this moment. Look at them before you try again."


class KeysLocked(Refusal):
    kind, code = Kind.WRONG_STATE, "keys_locked"
    message = (
        "The signing key can't be opened with this JWT_SECRET, or there is none yet."
        " Give this command the settings of the service, and start that first."
    )
