"""What can be refused about orders."""

from collections.abc import Sequence

from service.core.errors import Kind, Refusal


class OrderNotFound(Refusal):
    kind, code, message = Kind.NOT_FOUND, "order_not_found", "Order not found."


class OrderTransition(Refusal):
    """The order is not in a state for this; ``ways_on`` is what it is in a state for."""

    kind, code = Kind.WRONG_STATE, "order_transition"
    message = "The order is not in a state for this."

    def __init__(self, status: str, ways_on: Sequence[str]) -> None:
        possible = " or ".join(ways_on) if ways_on else "nothing more"
        super().__init__(f"The order is {status}. Possible from there: {possible}.")
