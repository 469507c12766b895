"""``DATABASE_URL`` taken apart; no error repeats it, for it may hold a password."""

import ssl
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

Dialect = Literal["sqlite", "postgres", "mysql"]

SCHEMES: dict[str, Dialect] = {
    "sqlite": "sqlite",
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
}
MEMORY = ":memory:"
_PORTS = {"postgres": 5432, "mysql": 3306}
_OPTIONS = {"host", "sslmode", "sslrootcert"}
_TLS_MODES = {"disable", "require", "verify-full"}


class UnreadableUrl(ValueError):
    """A database URL of no use; the text says why and never repeats it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A database to connect to: which kind, and what its engine needs to know."""

    dialect: Dialect
    credentials: dict[str, Any] = field(repr=False)

    @property
    def is_memory(self) -> bool:
        return self.credentials.get("file_path") == MEMORY


def read_url(url: str) -> Target:
    """Take a database URL apart.

    ``sqlite://var/arcana.db`` (relative), ``sqlite:///srv/arcana.db``, ``sqlite://:memory:``,
    ``postgres://user:password@host:port/name`` and ``mysql://…`` alike, user and password
    percent-encoded; ``?host=/run/postgresql`` for a socket, ``?sslmode=require`` or
    ``verify-full`` with ``&sslrootcert=FILE`` for TLS.

    Raises:
        UnreadableUrl: it is no such URL; the message says what is wrong and never repeats it.
    """
    scheme, mark, rest = url.partition("://")
    dialect = SCHEMES.get(scheme) if mark else None
    if dialect is None:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise UnreadableUrl(f"The database URL must begin with one of {known}.")
    if dialect == "sqlite":
        return Target(dialect, {"file_path": _file(rest)})
    return Target(dialect, _server(dialect, url))


def _file(path: str) -> str:
    if not path or "?" in path or "#" in path:
        raise UnreadableUrl("The database URL must name a file, as in sqlite://var/arcana.db.")
    return path


def _server(dialect: Dialect, url: str) -> dict[str, Any]:
    parts, port = _split(url)
    options = _options(parts.query)
    name = unquote(parts.path.removeprefix("/"))
    if not name or "/" in name or parts.fragment:
        raise UnreadableUrl(
            f"The database URL must end in one name, as in {dialect}://host/arcana."
        )
    return {
        "user": unquote(parts.username or "") or None,
        "password": unquote(parts.password or ""),
        "host": options.get("host") or parts.hostname or "localhost",
        "port": port or _PORTS[dialect],
        "database": name,
        "tls": _tls(options),
    }


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        return parts, parts.port
    except ValueError:
        pass  # its message repeats the URL
    raise UnreadableUrl(
        "The database URL cannot be read. Percent-encode what is special in the user and password."
    )


def _options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    if options.keys() - _OPTIONS:
        raise UnreadableUrl(f"The database URL may have the options {', '.join(sorted(_OPTIONS))}.")
    if options.get("sslmode", "disable") not in _TLS_MODES:
        raise UnreadableUrl(
            f"sslmode in the database URL is one of {', '.join(sorted(_TLS_MODES))}."
        )
    return options


def _tls(options: dict[str, str]) -> ssl.SSLContext | None:
    mode = options.get("sslmode", "disable")
    if mode == "disable":
        return None
    context = ssl.create_default_context(cafile=options.get("sslrootcert"))
    if mode == "require":  # encrypted, whoever answers; as libpq means it
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
