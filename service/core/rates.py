"""How often what may be tried."""

from dataclasses import dataclass
from datetime import timedelta

from service.core.ports import Limiter


@dataclass(frozen=True, slots=True)
class Rate:
    """``at_most`` tries of one kind by one subject ``within`` a span of time."""

    kind: str
    at_most: int
    within: timedelta

    async def hit(self, limiter: Limiter, subject: str) -> None:
        """Count a try.

        Raises:
            Limited: it is one too many.
        """
        await limiter.hit(self.kind, subject, at_most=self.at_most, within=self.within)


_MINUTE = timedelta(minutes=1)
LOGINS_BY_ACCOUNT = Rate("login:account", 10, _MINUTE)
LOGINS_BY_ADDRESS = Rate("login:address", 100, _MINUTE)
CLIENT_LOGINS_BY_ADDRESS = Rate("client:address", 100, _MINUTE)
FAILED_CLIENT_LOGINS = Rate("client:account", 10, _MINUTE)
REGISTRATIONS_BY_ACCOUNT = Rate("register:account", 10, _MINUTE)
REGISTRATIONS_BY_ADDRESS = Rate("register:address", 60, _MINUTE)
PASSWORD_CHECKS = Rate("password:user", 10, _MINUTE)
HOOK_TESTS = Rate("webhook:test", 10, _MINUTE)
