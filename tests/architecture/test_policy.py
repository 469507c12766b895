"""Who may call is declared on every public method of every service."""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.core.access import Actor, Anyone, allow

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
