"""Release 0.1.0 is heard in the change feed while it runs beside this one.

It knows neither ``users.version`` nor ``changes``. Where it writes, the database raises the one and
writes into the other, so nothing stale is served or overwritten during a rolling update. This
release's own writes raise the version themselves, and no trigger does anything for them but note
a deletion, a profile or an ended session once more, which the feed's readers bear. A later release
takes the triggers away.
"""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

_EVENTS = {
    "users_heard_update": "users",
    "users_heard_delete": "users",
    "profiles_heard_insert": "user_profiles",
    "profiles_heard_update": "user_profiles",
    "sessions_heard_update": "sessions",
}
_COLUMNS = "INSERT INTO changes (user_id, kind, at)"
_UNKNOWING = "NEW.version = OLD.version AND NEW.updated_at <> OLD.updated_at"
"""A write that did not raise the version, of something that can be seen."""
_ENDED = "OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL"
_LATER = "FROM users WHERE id = NEW.user_id AND created_at <> NEW.created_at"
"""A profile made together with its user, by an import for instance, is no news of either."""

# Instants are text of one width here (service/infra/database/sqlite.py).
_SQLITE_NOW = "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000+00:00'"
_SQLITE_DOWN = [f'DROP TRIGGER IF EXISTS "{name}"' for name in _EVENTS]
_MYSQL_DOWN = [f"DROP TRIGGER IF EXISTS `{name}`" for name in _EVENTS]
_POSTGRES_DOWN = [
    *(f'DROP TRIGGER IF EXISTS "{name}" ON "{table}"' for name, table in _EVENTS.items()),
    *(f'DROP FUNCTION IF EXISTS "{name}"()' for name in _EVENTS),
]


def _sqlite(name: str, event: str, body: str) -> str:
    return f'CREATE TRIGGER "{name}" {event} BEGIN {body}; END'


def _postgres(name: str, event: str, body: str, condition: str = "") -> list[str]:
    when = f"WHEN ({condition})" if condition else ""
    returned = "OLD" if "DELETE" in event else "NEW"
    return [
        f'''
        CREATE FUNCTION "{name}"() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN {body}; RETURN {returned}; END $$
        ''',
        f'CREATE TRIGGER "{name}" {event} FOR EACH ROW {when} EXECUTE FUNCTION "{name}"()',
    ]


def _mysql(name: str, event: str, body: str) -> str:
    return f"CREATE TRIGGER `{name}` {event} FOR EACH ROW BEGIN {body}; END"


UPGRADE = {
    "sqlite": [
        *_SQLITE_DOWN,
        _sqlite(
            "users_heard_update",
            f"AFTER UPDATE ON users WHEN {_UNKNOWING}",
            "UPDATE users SET version = OLD.version + 1 WHERE id = NEW.id;"
            f" {_COLUMNS} VALUES (NEW.id, 'previous', {_SQLITE_NOW})",
        ),
        _sqlite(
            "users_heard_delete",
            "AFTER DELETE ON users",
            f"{_COLUMNS} VALUES (OLD.id, 'previous', {_SQLITE_NOW})",
        ),
        _sqlite(
            "profiles_heard_insert",
            "AFTER INSERT ON user_profiles",
            f"{_COLUMNS} SELECT NEW.user_id, 'previous', {_SQLITE_NOW} {_LATER}",
        ),
        _sqlite(
            "profiles_heard_update",
            "AFTER UPDATE ON user_profiles",
            f"{_COLUMNS} VALUES (NEW.user_id, 'previous', {_SQLITE_NOW})",
        ),
        _sqlite(
            "sessions_heard_update",
            f"AFTER UPDATE ON sessions WHEN {_ENDED}",
            f"{_COLUMNS} VALUES (NEW.user_id, 'previous', {_SQLITE_NOW})",
        ),
    ],
    "postgres": [
        *_POSTGRES_DOWN,
        *_postgres(
            "users_heard_update",
            "BEFORE UPDATE ON users",
            "NEW.version := OLD.version + 1;"
            f" {_COLUMNS} VALUES (NEW.id, 'previous', clock_timestamp())",
            _UNKNOWING,
        ),
        *_postgres(
            "users_heard_delete",
            "AFTER DELETE ON users",
            f"{_COLUMNS} VALUES (OLD.id, 'previous', clock_timestamp())",
        ),
        *_postgres(
            "profiles_heard_insert",
            "AFTER INSERT ON user_profiles",
            f"{_COLUMNS} SELECT NEW.user_id, 'previous', clock_timestamp() {_LATER}",
        ),
        *_postgres(
            "profiles_heard_update",
            "AFTER UPDATE ON user_profiles",
            f"{_COLUMNS} VALUES (NEW.user_id, 'previous', clock_timestamp())",
        ),
        *_postgres(
            "sessions_heard_update",
            "AFTER UPDATE ON sessions",
            f"{_COLUMNS} VALUES (NEW.user_id, 'previous', clock_timestamp())",
            _ENDED,
        ),
    ],
    "mysql": [
        *_MYSQL_DOWN,
        _mysql(
            "users_heard_update",
            "BEFORE UPDATE ON users",
            f"IF {_UNKNOWING} THEN SET NEW.version = OLD.version + 1;"
            f" {_COLUMNS} VALUES (NEW.id, 'previous', UTC_TIMESTAMP(6)); END IF",
        ),
        _mysql(
            "users_heard_delete",
            "AFTER DELETE ON users",
            f"{_COLUMNS} VALUES (OLD.id, 'previous', UTC_TIMESTAMP(6))",
        ),
        _mysql(
            "profiles_heard_insert",
            "AFTER INSERT ON user_profiles",
            f"{_COLUMNS} SELECT NEW.user_id, 'previous', UTC_TIMESTAMP(6) {_LATER}",
        ),
        _mysql(
            "profiles_heard_update",
            "AFTER UPDATE ON user_profiles",
            f"{_COLUMNS} VALUES (NEW.user_id, 'previous', UTC_TIMESTAMP(6))",
        ),
        _mysql(
            "sessions_heard_update",
            "AFTER UPDATE ON sessions",
            f"IF {_ENDED} THEN {_COLUMNS}"
            " VALUES (NEW.user_id, 'previous', UTC_TIMESTAMP(6)); END IF",
        ),
    ],
}

DOWNGRADE = {"sqlite": _SQLITE_DOWN, "postgres": _POSTGRES_DOWN, "mysql": _MYSQL_DOWN}


async def upgrade(db: BaseDBAsyncClient) -> str:
    """For aerich's own command, which runs it all in one transaction."""
    return ";\n".join(UPGRADE[db.capabilities.dialect]).replace("CONCURRENTLY ", "")


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ";\n".join(DOWNGRADE[db.capabilities.dialect])


MODELS_STATE = (
    "eJztXG1zEzkS/isqf1moyroShwQOrq7KCWHXByQUMcuy56uxPCPbqsxIXkkT4+L479eteZ"
    "/xOJ68kRh/gVhSS5qnW1K/Sd9aVLlU0PZH6bPWS/KtJWiAfxTKd+DnbJaVYoGhI0vRUtBC"
    "2yYjbRR1DRSOqa8ZFHlMu4rPDJcCm3YJ9u4RzQyRYzJjKuBaQ6V+RcyUkVHIffMrF0QKpg"
    "lVjATUY4QaWzvmShuiDVWmjeN50oUBuZjcfteh4H+HzDFywqBawQD/+S8Uc+Gxr/Cx8c/Z"
    "hTPmzPcKuHEPO7DljlnMbNmnT73Xb2xLnPbIcaUfBiJrPVuYqRRp8zDkXhtpsG7CBFPUMC"
    "8Hqwh9P4Y/KYpmDAVGhSydqpcVeGxMQx+Z0/rnOBQu8gTQUpfcZW1XKtbmnm4LNne49694"
    "njkaxzk96zvnJ33HaVUYi/MpMSQucoEBIBRcGETt2/eo3wwdW9rCAY5/7358sn/41OIhtZ"
    "koW2mxa323hNTQiNRyIIPc/l8B/XhK1XLQk/Yl2GGidwN4As8dANoK6FfHZ2JipvDzYHcF"
    "wH90P1qMD3YtxhKWarSAT+Oajq1CqDNo89NqgHCJ7FpAxzCmOCdNMqCzXebeke4cHKwBNb"
    "SqxdrWFcF2FUM4HGqqWL+GGsMDthzvImUJbi8mbSd/XEfK10G/bmNxfeletEPjOkLOf8Te"
    "0u+9Pznvd99/wO4Drf/2LaTd/gnWdGzpolT65LDEurQT8rnX/53gT/LX2elJecNK2/X/au"
    "GcaGgkfrhDvTxsSXFSVJCEcOZdUxKKlFtJeIySgLrF+CJ31GHBiLoXc6o8p1IjO7KubbUq"
    "6ARLz9AQ+KSrwvaeikVf4r9W3HqAMxXustMz1hc/QT+P7hT9nqyipDQbP5Ae852SUpx8pG"
    "K+XWxJdaoKj6Wy+F+wRQKuE6l6KWviKiSJq8xUyXAyTQnS3gBlmAQz0aHbPT/uvray5uRB"
    "xvlayQlghhNbhB9r5S436yUqfvI19Sp+KhzrqPigemtY91KBhu1OuWBkzs2UUEGo68pQLF"
    "XeryYaiIEYDllAuT8cEq5BW4cdxSOg0nOjUa0nQqqA+gTAD8iT4dDuOIZ9Ne2owomJn0K3"
    "Hokkj4wWhiHFQOBfbTIcagYITKMxrG0gfQ/GQdAsISxeWN8amxp5wYTDZtK2V1yDaTGfAl"
    "MumcKJQzNi2+iBmPBLBh8YGjJiMB7YHyGYHEISX4oJNB8xYig0bZPP8OXYbjicUa3nEoRl"
    "SjWOIORIegsC/AGqCXx6GzGBwdDQSWcAiOC8oXhBPn3AXQwtImZ/u1MKo+FvbKLkfMeiZ0"
    "UN0ccfMyXH3AfewtcOBKCAhSd9OsFPBjiZEgAm9yKIqJBoIhG90IYFv+gIKPhCO0LE11fQ"
    "BYlQ8Rm9ZHpNI+tbK9uqQGukJrRSCMsFG7KvM2QE2ngJbWqEfXWszDoRUbLA4q2qZYlBkO"
    "0Pe/Dmx1kI17neYBnl6hG3xuPDMR7tptDEtkkJNs58vBOjprCHNcG5Qrh5VuTBXmcdg32v"
    "U2+xY10R8B/rDXlQ+N6JQEf6QRXhPmzwyxHOKDYC41Xm1cmf/YJllSD55H33z6cF6+rd2e"
    "lvSfMc8sfvzo7KgKdncVWkT0QYVCyTIvgp9f2B3wIVGdS9hgdhq3vc7/1x8pJE1APRO01K"
    "uEjKzj+dfzg5fX3y+iXRoZ4xmIVX1qfXWRp7h2usjL2y5ZstDKwqsamoN12LV8Uu7pFhOD"
    "LzmjLs/MvpseWEpR4I5Ezv9LeXBPkCvBiIN93eO2wxBp3hoTDKKjAOKOMculyicB5JsAao"
    "WKH9FIhLXBoB9V2xKS25313t6OzsXWFXO+qVt61P749OgA2WC9CIR7Z677Rfwj5nMVaB74"
    "maA6REVUIc/RV3BPjuXR3TE5zBr529Z8+fvdg/fPYCmthZpiXPV/CjCuvWc/4z+0u3nvOt"
    "JFQlIXaLNdhmcxT3t8XuPZItNuf4a+QtKZLdig2/iS6TBjGfvCkaeySrOlxM+ebtR4xRLJ"
    "fq2P9/HvXyeC3RStzme6OwWM5XFXm+6+E8E6wv4Z+rQcWgyoesu8flpVqJa10EMQt+3SyC"
    "mGScPSpHatMIYvKR5QhiFoYtRhBzYcJyBDEXXLxZBDELPq8MISZSXRNJzAn96oCiE6+2NQ"
    "OLn6fUEEqQkhjm+5rQEUbJzJQFmvmXTL+yQUAl53GzHTKRSSCRL4k63kqP20zBxxTsoZdQ"
    "o5xQNYr4FKk2MAyxu17e4KrEwUrm4IjLJhjHzTcP3L3dtdDFZvU+vN0qvjPAqVGcJyXYPI"
    "w76yDcqce3U0F361DauhG2DqWtJBQkIVO011XaciT3q7n9mPDvFZrZjfJai3yoMiExzX/S"
    "PFVF56mJkRe7pZbf90ZJwistwsR5tMQazPmV6i3BvAvraiMQ+IuZj9E9LmuceQy3tB0yVj"
    "Ig8yl3p0SxMcjdNM68JNgFE17V/rtJZ5iN2hOXVHEqzEu8RhaAvEfmYp4CMyTdUCkmzI5N"
    "iLR5qmEwYpi7ijmqoTBMDYev4tRL5jFMG8WE1IAuMCtUsZlPF3i1bSqV8ReEjoECaJU08f"
    "mC5FF+J+aqKjsIzDLKX40Rtqmt1Ie2YMQyPRAgPpIw6sYz3SFaJkmhhPrYRUAvmCYiMXlj"
    "2zg5Rn7R5IItdjDr1hbDj6TZQMQdtUk3GT+ymodDm7Fg55xkhPJLvJE3AXm+TlpoIutXJ2"
    "kmoubkPSZrpYRCvxw6xpO8wTA5qvqRtt6Bh+MdwOWxxPfLBVWLmsyumKKcA7EwkVvrcfrT"
    "l+ZAYF5WXlED4+mod9r9+GV5alfSPs+Coy/9k27Z0Io2wAZRuhzFNhGiHKXLzoSm1kqRcm"
    "utPHZrpXj6NJGEIuWPkoQflMD66Ngcq1ONmZyjuwUWPzD34OZxeD5dNHH2Fog2z+G7v869"
    "if36axP7lVsTW4fvdr1tHb5bSXiYDt+He5w2dfle5cZ9A6LKJ+Itu+sHBx4GpLfsyr3Nty"
    "FWun2P7T3y1hKvb1yzs8rpG91Cb+DznStuGDEyzcNJL63v5K+sJzfYExfccp/vdTsr+Xy5"
    "QecuF9CFid4hQKcnfIzQNNp+41v20XjQPEoykuPE1aoY9hB5QaVgA5H3stpb9ei0jSVgOC"
    "QzidKDM8c79/BFL1OHLVBFflScMVK0Sc/T9kGAeGYDIZX1DY/jOWt03drH0lwZBBx/w7Tm"
    "U2nnA0pN7D8eM/g6X8oLTVB2ADWfG+Oz6zhr13KgxtJxi37TIz6pdSct3ayXeJLixflgY0"
    "OxJ+kfnc7+/vPO7v7hi4Nnz58fvNhNXUrVqlW+paPeb+heKhy+ib+p3oW6PTJvwUOdwXkB"
    "s29i9iXtN+Ke8V2bfM0V/K1i/3gV+/t7VGul4tTzWDCThgl38dbmb1cUqFKLlYoUz9piOv"
    "jabzRZnwUKEtUXcLrjaz2hQO2ARjFdfOcINQnQZeZWOXFZprCAqrLsCacb91nSrxLVBiPo"
    "VkFBLcsGkeeYuL1En7IhaNBnaDYXg02jy9cEY+quonqK2pomY8VYHHYmp5E+ZbUexDZR3V"
    "zq+6ghpp1HoW6cj/0cDIHPYK42jM71QNhvhf7xzRJU3qKPzR6TymLnl5zNASry7/Oz02gA"
    "nTycFIXyPSnVdXSsRsHqsgDdMGgNXTR+5yVPs3FP6hw+W+PUOnxWe2ph1WqNS84Qm4bvsx"
    "aINlBZuC3Y83Fqu+QbS3eZbgv2GmBHu2YV5vondjKKTQh23PcLO489+LGNJG5TAn5uNj8Q"
    "66bLFHenrSVWTVyz0pqhWZurbJh6xt7yhcyfxW94wwy0ev209hmOep2p/h2OTVCX7uRRQl"
    "xUDRCOm28gunvr3rZcddmyqvwLMJGXnJpovNfp/SlJ+bjkriH/Iz7Xd5at+mMOSgRjtWpa"
    "1kJLhx92cHTTe0I3Pcy+/x+IiPsk"
)
