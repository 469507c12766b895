"""Who may call is declared on every public method of every service."""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.core.access import UNSAID, Actor, Anyone, Inside, Role, SignedIn, allow
from service.core.scopes import SCOPES, USERS_READ

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in ROOT.glob("service/*/*.py")
    if path.parent.name not in {"core", "infra", "transport", "commands"}
)


def services(module: str) -> Iterator[type]:
    """The services that a module defines itself."""
    for name, found in vars(importlib.import_module(module)).items():
        if inspect.isclass(found) and name.endswith("Service") and found.__module__ == module:
            yield found


def methods_without_policy(service: type) -> list[str]:
    """Public methods, inherited ones too, of whom nobody said who may call them."""
    return [
        f"{service.__qualname__}.{name}"
        for name, method in inspect.getmembers(service)
        if not name.startswith("_")
        and not getattr(method, "__policy__", ())
        and (callable(method) or isinstance(method, property))
    ]


def methods_without_scope(service: type) -> list[str]:
    """Methods that keys may come to, of whom nobody said which scope opens them, if any does."""
    return [
        f"{service.__qualname__}.{name}"
        for name, method in inspect.getmembers(service)
        if not set(getattr(method, "__policy__", (Inside(),))) <= {Anyone(), Inside()}
        and getattr(method, "__scope__", UNSAID) not in (None, *SCOPES)
    ]


@pytest.mark.parametrize("module", MODULES)
def test_every_method_that_is_not_public_says_which_scope_opens_it_to_api_keys(
    module: str,
) -> None:
    bare = [name for service in services(module) for name in methods_without_scope(service)]
    assert not bare, f"{', '.join(bare)}: say @allow(…, scope=…), None for none (core/scopes.py)"


def test_every_scope_opens_something() -> None:
    methods = [m for module in MODULES for s in services(module) for m in vars(s).values()]
    assert {getattr(method, "__scope__", None) for method in methods} - {None, UNSAID} == set(
        SCOPES
    )


@pytest.mark.parametrize("module", MODULES)
def test_every_public_method_of_a_service_declares_who_may_call_it(module: str) -> None:
    bare = [name for service in services(module) for name in methods_without_policy(service)]
    assert not bare, f"{', '.join(bare)}: decorate with @allow(...) of service/core/access.py"


def test_every_noun_s_service_was_looked_at() -> None:
    nouns = {path.parent.name for path in ROOT.glob("service/*/service.py")}
    found = {module.split(".")[1] for module in MODULES if list(services(module))}
    assert nouns == found
    assert {"users", "roles", "auth"} <= found


def test_a_method_without_policy_is_found() -> None:
    class Base:
        async def inherited(self, actor: Actor) -> None: ...

    class PlantedService(Base):
        @allow(Anyone())
        async def declared(self, actor: Actor) -> None: ...

        @allow()
        async def for_nobody(self, actor: Actor) -> None: ...

        async def forgotten(self, actor: Actor) -> None: ...

        @staticmethod
        def loose() -> None: ...

        async def _helper(self) -> None: ...

    assert [name.rpartition(".")[2] for name in methods_without_policy(PlantedService)] == [
        "for_nobody",
        "forgotten",
        "inherited",
        "loose",
    ]


def test_a_method_without_scope_is_found() -> None:
    class PlantedService:
        @allow(SignedIn(), scope=USERS_READ)
        async def scoped(self, actor: Actor) -> None: ...

        @allow(SignedIn(), scope=None)
        async def closed(self, actor: Actor) -> None: ...

        @allow(Anyone())
        async def public(self, actor: Actor) -> None: ...

        @allow(Inside())
        async def inner(self, actor: Actor) -> None: ...

        @allow(SignedIn())
        async def forgotten(self, actor: Actor) -> None: ...

        @allow(Inside(), Role("admin"), scope="users:raed")
        async def misspelt(self, actor: Actor) -> None: ...

    found = [name.rpartition(".")[2] for name in methods_without_scope(PlantedService)]
    assert found == ["forgotten", "misspelt"]
