"""A decorator for methods whose answers are cached."""

import functools
import hashlib
import inspect
from collections.abc import Callable, Coroutine
from datetime import timedelta
from string import Formatter
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload
from urllib.parse import quote
from uuid import UUID

from service.infra.cache.codec import encode
from service.infra.cache.port import Cache

_LONGEST = 120
"""Characters of a value that stand in a key as they are; a longer one is hashed."""


class HasCache(Protocol):
    """An object whose methods may be ``cached``."""

    @property
    def _cache(self) -> Cache: ...


S = TypeVar("S", bound=HasCache)
P = ParamSpec("P")
T = TypeVar("T")
AsyncMethod = Callable[Concatenate[S, P], Coroutine[Any, Any, T]]


def cached(
    key: str, *, ttl: timedelta | None = None
) -> Callable[[AsyncMethod[S, P, T]], "CachedMethod[S, P, T]"]:
    """Answer an async method from ``self._cache``, under a key made of its arguments.

    ``key`` is a template such as ``user:{user_id}:roles``. It names every parameter but ``self``,
    with a colon between two, so that two different calls never share a key. Positional, keyword
    and default arguments give the same key. ``method.forget(…)`` removes the answer to one call.
    ``ttl`` None is the cache's own default.

    Raises (while decorating):
        ValueError: a parameter is missing from ``key``, an unknown one stands in it, two touch, or
            ``ttl`` is not positive.
        TypeError: the method is not ``async def``.
    """

    def decorate(method: AsyncMethod[S, P, T]) -> CachedMethod[S, P, T]:
        return CachedMethod(method, key, ttl)

    return decorate


class CachedMethod(Generic[S, P, T]):
    """An async method with a cache before it; as an attribute of an object it is bound to that."""

    def __init__(self, method: AsyncMethod[S, P, T], key: str, ttl: timedelta | None) -> None:
        if not inspect.iscoroutinefunction(method):
            raise TypeError("Only async methods can be cached.")
        if ttl is not None and ttl <= timedelta(0):
            raise ValueError("A ttl must be longer than nothing.")
        self._signature = inspect.signature(method)
        _check(key, set(list(self._signature.parameters)[1:]))
        self._method, self._template, self._ttl = method, key, ttl
        functools.update_wrapper(self, method)

    @overload
    def __get__(self, owner: None, kind: type) -> "CachedMethod[S, P, T]": ...

    @overload
    def __get__(self, owner: S, kind: type) -> "BoundCachedMethod[P, T]": ...

    def __get__(self, owner: S | None, kind: type) -> Any:
        return self if owner is None else BoundCachedMethod(self, owner)

    async def __call__(self, owner: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await owner._cache.get_or_set(
            self.key(owner, *args, **kwargs),
            lambda: self._method(owner, *args, **kwargs),
            self._ttl,
        )

    def key(self, owner: S, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """The key of one call.

        Raises:
            TypeError: these are no arguments of the method, or one is not plain data.
        """
        bound = self._signature.bind(owner, *args, **kwargs)
        bound.apply_defaults()
        values = dict(list(bound.arguments.items())[1:])
        return self._template.format_map({name: as_text(value) for name, value in values.items()})

    async def forget(self, owner: S, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Remove the answer to one call, and say whether there was one."""
        return await owner._cache.delete(self.key(owner, *args, **kwargs))


class BoundCachedMethod(Generic[P, T]):
    """A ``CachedMethod`` of one object."""

    def __init__(self, method: CachedMethod[Any, P, T], owner: HasCache) -> None:
        self._method, self._owner = method, owner

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._method(self._owner, *args, **kwargs)

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The key of one call."""
        return self._method.key(self._owner, *args, **kwargs)

    async def forget(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Remove the answer to one call, and say whether there was one."""
        return await self._method.forget(self._owner, *args, **kwargs)


def as_text(value: object) -> str:
    """``value`` as one part of a key: no two values give the same text, and none has a colon.

    Text is percent-encoded; anything else follows an ``=``, which encoded text never has.

    Raises:
        TypeError: ``value`` is not plain data.
    """
    if type(value) is str:
        text = quote(value.encode("utf-8", "surrogatepass"), safe="")
    elif isinstance(value, UUID):
        text = f"={value}"
    else:
        text = "=" + quote(encode(value), safe="")
    return text if len(text) <= _LONGEST else "#" + hashlib.sha256(text.encode()).hexdigest()


def _check(template: str, parameters: set[str]) -> None:
    parts = list(Formatter().parse(template))
    fields = [name for _, name, _, _ in parts if name is not None]
    if sorted(fields) != sorted(parameters):
        raise ValueError(f"A key must name each parameter once: {sorted(parameters)}.")
    if any(form or conversion for _, _, form, conversion in parts):
        raise ValueError("A key takes its fields as they are, without format or conversion.")
    between = [literal for literal, name, _, _ in parts if name is not None][1:]
    if any(":" not in literal for literal in between):
        raise ValueError("A key needs a colon between two fields.")
