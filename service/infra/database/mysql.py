"""Tortoise's engine for MariaDB and MySQL, over asyncmy."""

import asyncio
import math
from typing import Any, cast

import asyncmy
from asyncmy import errors
from asyncmy.constants import CLIENT
from tortoise.backends.base.client import TransactionContext
from tortoise.backends.mysql.client import MySQLClient, TransactionWrapper
from tortoise.exceptions import IntegrityError

from service.infra.database.guard import DatabaseUnavailable, Guarded, bug
from service.infra.database.pooled import Pooled
from service.infra.database.transactions import Scope, Transaction
from service.infra.database.violations import from_mysql

_OWN_NUMBERS = 2000
_AWAY = {
    *(1040, 1203, 1226),  # too many connections
    *(1044, 1045, 1049, 1698),  # access denied, no such database
    *(1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184),  # shut down, lost
    *(1205, 1213),  # lock wait, deadlock
    *(1317, 1927, 1969, 3024),  # killed, out of time
    *(1290, 1836),  # read-only: a primary that became a replica
    *range(_OWN_NUMBERS, 2100),  # the client's own: cannot connect, gone away
}
"""Numbers of MariaDB's and MySQL's error lists that a later try may not meet."""

_LOST = {*(1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1290, 1836, 1927)}
"""Another connection may fare better, as after the client's own numbers."""

_MODE = (
    "'TRADITIONAL' /*M!100101 , max_statement_time={seconds} */"
    " /*!50708 , max_execution_time={milliseconds} */"
)
"""Strict; and a statement whose caller has gone ends, which MariaDB and MySQL say differently."""
_READ_COMMITTED = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"


class _Mysql(Guarded):
    """How both our clients name asyncmy's errors."""

    def translate(self, error: Exception) -> Exception:
        number = error.args[0] if isinstance(error, errors.MySQLError) and error.args else 0
        if isinstance(error, errors.IntegrityError):
            return IntegrityError(from_mysql(number, str(error.args[-1])))
        if number in _AWAY or isinstance(error, OSError | TimeoutError | errors.InterfaceError):
            name = f"{type(error).__name__} {number or ''}".rstrip()
            return DatabaseUnavailable(
                name, lost=_is_lost(error, number), undone=0 < number < _OWN_NUMBERS
            )
        return bug(error, str(number or ""))


def _is_lost(error: Exception, number: int) -> bool:
    if isinstance(error, TimeoutError):  # an OSError, too
        return False
    return (
        number in _LOST
        or number >= _OWN_NUMBERS
        or isinstance(error, OSError | errors.InterfaceError)
    )


class MysqlClient(_Mysql, Pooled, MySQLClient):
    """A pool of connections to one MariaDB or MySQL database.

    Each is READ COMMITTED, as PostgreSQL is: after a conditional UPDATE that changed nothing, a
    SELECT in the same transaction sees why. An UPDATE counts the rows it found, not only those
    it made different, as the other two do.
    """

    def __init__(self, *, password: str, tls: Any, user: str | None, **settings: Any) -> None:
        # asyncmy would encode a password given as text in Latin-1.
        secret: Any = password.encode()
        at_most = math.ceil(settings["command_timeout"])
        super().__init__(
            password=secret,
            user=user or "",
            ssl=tls,
            charset="utf8mb4",
            sql_mode=_MODE.format(seconds=at_most, milliseconds=1000 * at_most),
            init_command=_READ_COMMITTED,
            client_flag=CLIENT.FOUND_ROWS,
            **settings,
        )
        self.extra["connect_timeout"] = self._connect_timeout
        if self.host.startswith("/"):
            self.extra["unix_socket"] = self.host

    async def create_connection(self, with_db: bool) -> None:
        async def connect() -> None:
            self._pool = await asyncmy.create_pool(
                **self._address(with_db), minsize=0, maxsize=self.pool_maxsize
            )
            await (await self.take()).give_back()
            await self._post_connect()

        await self.guard(connect)

    def _address(self, with_db: bool) -> dict[str, Any]:
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": self.database if with_db else None,
            "autocommit": True,
            "charset": self.charset,
            **self.extra,
        }

    async def probe(self) -> None:
        connection = await asyncmy.connect(**self._address(with_db=True))
        try:
            await cast(Any, connection).query("SELECT 1")
        finally:
            connection.close()

    def forget_idle(self) -> None:
        pool: Any = self._pool
        while pool is not None and pool._free:
            pool._free.pop().close()

    async def _check_out(self, pool: Any) -> Any:
        return await pool.acquire()

    async def _check_in(self, pool: Any, connection: Any) -> None:
        pool.release(connection)

    async def close(self) -> None:
        """Close the pool; who still holds a connection has as long as a command may take."""
        self.is_open = False
        await self.watch.close()
        pool, self._pool = self._pool, None
        if pool is None:
            return
        pool.close()
        try:
            await asyncio.wait_for(pool.wait_closed(), self.command_timeout)
        except TimeoutError:
            pool.terminate()

    def _in_transaction(self) -> TransactionContext:
        return Scope(MysqlTransaction(self))


class MysqlTransaction(Transaction, _Mysql, TransactionWrapper):
    """A transaction on one connection of the pool."""

    def __init__(self, parent: MysqlClient) -> None:
        TransactionWrapper.__init__(self, parent)
        self._pooled = parent
        self.command_timeout, self.watch = parent.command_timeout, parent.watch

    async def borrow(self) -> Any:
        self._lease = await self._pooled.take()
        return self._lease.connection

    async def give_back(self, *, clean: bool) -> None:
        if not clean:
            self._connection.close()
        await self._lease.give_back()

    async def control(self, statement: str) -> str:
        await cast(Any, self._connection).query(statement)
        return statement


client_class = MysqlClient
