"""From what somebody does at a door to what the person finds in inbox and mailbox."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from config.mail import Sender, SmtpServer
from service.app import Outside, Wiring
from service.core.access import SYSTEM
from service.events.relay import Relay
from service.events.repository import EventRepository
from service.infra.leases import Leases
from tests.support.doors import Door
from tests.support.live import Live
from tests.support.mailboxes import Mailbox, mailbox
from tests.support.people import PASSWORD, Person
from tests.support.sinks import FixedSinks


@asynccontextmanager
async def relaying(live: Live) -> AsyncIterator[Mailbox]:
    """A relay at work with the sinks that the settings make; its mailbox."""
    async with mailbox() as box:
        changed = {
            "smtp_url": SmtpServer("127.0.0.1", box.port, "off"),
            "mail_from": Sender("Arcana", "no-reply@example.com"),
            "public_url": "https://accounts.example.com",
        }
        settings = live.settings.model_copy(update=changed)
        outside = Outside(live.database, live.cache, live.hasher, live.limits)
        wiring, events = Wiring(settings, outside), EventRepository()
        assert wiring.listeners.mail_sink is not None
        sinks = [wiring.listeners.inbox_sink, wiring.listeners.mail_sink]
        for sink in sinks:
            await events.forget_sink(sink.name)
            await events.progress(sink.name)
        leases = Leases(live.database, ttl=timedelta(seconds=2))
        relay = Relay(events, live.database.transaction, leases, FixedSinks([*sinks]))
        relay.start()
        try:
            yield box
        finally:
            await relay.stop()
            for sink in sinks:
                await sink.close()


async def until_told(live: Live, who: Person, *kinds: str) -> None:
    """Wait until the inbox of somebody holds these, the first one first."""
    found: list[str] = []
    async with asyncio.timeout(30):
        while found != list(kinds):
            answer = await live.rest.call(
                "list_notifications", bearer=who.access, user_id=who.id, size=50
            )
            found = [each["kind"] for each in reversed(answer.body["data"])]
            await asyncio.sleep(0.05)


async def until_mailed(box: Mailbox, *subjects: str) -> None:
    async with asyncio.timeout(30):
        while sorted(str(mail["Subject"]) for mail in box.mails) != sorted(subjects):
            await asyncio.sleep(0.05)


async def test_a_registration_and_a_new_password_are_told_of(live: Live, door: Door) -> None:
    async with relaying(live) as box:
        given = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
        made = await door.call("register", **given)
        ada = await live.people.sign_in(Person(made.body["id"], "ada@example.com", "Ada"))
        change = {"current_password": PASSWORD, "password": f"{PASSWORD} staple"}
        answer = await door.call("change_password", bearer=ada.access, user_id=ada.id, **change)
        assert answer.ok
        await until_told(live, ada, "welcome", "password_changed")
        await until_mailed(box, "Welcome to Arcana", "Your password was changed")
        assert {to for e in box.envelopes for to in e.rcpt_tos} == {"ada@example.com"}


async def test_a_token_used_twice_and_a_suspension_are_told_of(live: Live, door: Door) -> None:
    async with relaying(live) as box:
        ada = await live.people.signed_in("Ada")
        await door.call("refresh", refresh_token=ada.refresh)
        live.clock.forward(minutes=1)
        answer = await door.call("refresh", refresh_token=ada.refresh)
        assert answer.outcome == "invalid_token"
        again = await live.people.sign_in(ada)
        await until_told(live, again, "welcome", "session_reused")
        await live.services.users.set_status(SYSTEM, ada.id, {"status": "suspended"})
        subjects = ("We signed you out of a session", "Your account was suspended")
        await until_mailed(box, "Welcome to Arcana", *subjects)


async def test_machines_and_imported_people_are_not_welcomed(live: Live) -> None:
    async with relaying(live) as box:
        line = {"name": "Old", "email": "old@example.com"}
        (outcome,) = await live.services.imports.import_batch(SYSTEM, [line])
        assert outcome is None
        await live.services.clients.enrol(SYSTEM, {"name": "Billing"})
        ada = await live.people.signed_in("Ada")
        await until_told(live, ada, "welcome")
        await until_mailed(box, "Welcome to Arcana")
        assert box.envelopes[0].rcpt_tos == [ada.email]
