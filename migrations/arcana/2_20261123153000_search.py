"""Indexes for search: any three characters in a row of a folded name or address are found.

Triggers keep them, so release 0.1.0 may write beside this one. Words are marked before they are
cut into threes: two line feeds stand before each, so that the beginning of a word is three
characters as well. ``service.users.search`` asks with the same marks. A later migration that makes
the table ``users`` anew on SQLite has to make the triggers anew, too.

Each script can run again after an interruption, because PostgreSQL builds its index beside the
writers of the table only outside a transaction.
"""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = False

ADVICE = {
    "sqlite": "Search needs SQLite 3.34 or newer with FTS5; use a Python built with one.",
    "postgres": (
        "Search needs the extension pg_trgm, which the owner of the database may create since"
        " PostgreSQL 13 where contrib is installed; otherwise let a superuser run"
        " 'CREATE EXTENSION pg_trgm' in this database and migrate again."
    ),
    "mysql": (
        "Search needs triggers. Where the binary log is on, the server refuses them (1419) until"
        " log_bin_trust_function_creators is ON or the migrating user has the right to it."
    ),
}

_SQLITE_DOWN = [
    *(f'DROP TRIGGER IF EXISTS "users_search_{event}"' for event in ("insert", "update", "delete")),
    'DROP TABLE IF EXISTS "user_search"',
    'DROP TABLE IF EXISTS "user_search_rows"',
]
_MYSQL_DOWN = [
    "SET sql_notes = 0",  # what is not there to drop is no news
    *(f"DROP TRIGGER IF EXISTS `users_search_{event}`" for event in ("insert", "update", "delete")),
    "DROP TABLE IF EXISTS `user_trigrams`",
    "DROP TABLE IF EXISTS `trigram_positions`",
    "SET sql_notes = 1",
]
_POSTGRES_DOWN = ['DROP INDEX IF EXISTS "ix_users_search_trgm"']


def _sqlite_marked(search: str) -> str:
    lines = f"replace({search}, char(10), char(10, 10))"
    return f"char(10, 10) || replace({lines}, ' ', ' ' || char(10, 10))"


def _sqlite_gone(row: str) -> str:
    return f"""
            INSERT INTO "user_search" ("user_search", "rowid", "search")
                SELECT 'delete', "no", {_sqlite_marked(row + '."search"')}
                FROM "user_search_rows" WHERE "user_id" = {row}."id";"""


def _sqlite_new(row: str) -> str:
    return f"""
            INSERT INTO "user_search" ("rowid", "search")
                SELECT "no", {_sqlite_marked(row + '."search"')}
                FROM "user_search_rows" WHERE "user_id" = {row}."id";"""


_FEED = "_utf8mb4 X'0A'"
_FEEDS = "_utf8mb4 X'0A0A'"


def _mysql_marked(search: str) -> str:
    return (
        f"CONCAT({_FEEDS}, REPLACE(REPLACE({search}, {_FEED}, {_FEEDS}),"
        f" ' ', CONCAT(' ', {_FEEDS})))"
    )


def _mysql_new(row: str) -> str:
    return f"""
                SET marked = {_mysql_marked(f"{row}.`search`")};
                INSERT INTO `user_trigrams` (`trigram`, `user_id`)
                    SELECT SUBSTRING(marked, `n`, 3), UNHEX(REPLACE({row}.`id`, '-', ''))
                    FROM `trigram_positions` WHERE `n` <= CHAR_LENGTH(marked) - 2
                    ON DUPLICATE KEY UPDATE `trigram` = `user_trigrams`.`trigram`;"""


def _mysql_gone(row: str) -> str:
    return f"""
                SET marked = {_mysql_marked(f"{row}.`search`")};
                DELETE t FROM `trigram_positions` p STRAIGHT_JOIN `user_trigrams` t
                    ON t.`trigram` = SUBSTRING(marked, p.`n`, 3)
                    AND t.`user_id` = UNHEX(REPLACE({row}.`id`, '-', ''))
                    WHERE p.`n` <= CHAR_LENGTH(marked) - 2;"""


def _mysql_trigger(event: str, body: str) -> str:
    return f"""
            CREATE TRIGGER `users_search_{event}` AFTER {event.upper()} ON `users` FOR EACH ROW
            BEGIN
                DECLARE marked LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;{body}
            END
            """


_DIGITS = " UNION ALL ".join(f"SELECT {n} AS d" for n in range(10))  # digits

UPGRADE = {
    # The table users has no number that lasts (VACUUM gives its rows new ones), so each user gets
    # one in a table of its own; the index itself keeps no copy of the text.
    "sqlite": [
        *_SQLITE_DOWN,
        """
        CREATE TABLE "user_search_rows" (
            "no" INTEGER PRIMARY KEY NOT NULL,
            "user_id" CHAR(36) NOT NULL,
            CONSTRAINT "uq_user_search_rows_user_id" UNIQUE ("user_id")
        )
        """,
        """
        CREATE VIRTUAL TABLE "user_search"
            USING fts5("search", content='', tokenize='trigram case_sensitive 1')
        """,
        f"""
        CREATE TRIGGER "users_search_insert" AFTER INSERT ON "users" BEGIN
            INSERT INTO "user_search_rows" ("user_id") VALUES (NEW."id");{_sqlite_new("NEW")}
        END
        """,
        f"""
        CREATE TRIGGER "users_search_update" AFTER UPDATE OF "search" ON "users"
        WHEN OLD."search" <> NEW."search" BEGIN{_sqlite_gone("OLD")}{_sqlite_new("NEW")}
        END
        """,
        f"""
        CREATE TRIGGER "users_search_delete" AFTER DELETE ON "users" BEGIN{_sqlite_gone("OLD")}
            DELETE FROM "user_search_rows" WHERE "user_id" = OLD."id";
        END
        """,
        'INSERT INTO "user_search_rows" ("user_id") SELECT "id" FROM "users" ORDER BY "id"',
        f"""
        INSERT INTO "user_search" ("rowid", "search")
            SELECT "no", {_sqlite_marked('"search"')}
            FROM "user_search_rows" JOIN "users" ON "id" = "user_id" ORDER BY "no"
        """,
    ],
    # The list of what waits to be merged into the index is kept short: each search reads it whole.
    "postgres": [
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        *_POSTGRES_DOWN,
        """
        CREATE INDEX CONCURRENTLY "ix_users_search_trgm" ON "users"
            USING gin ("search" gin_trgm_ops) WITH (gin_pending_list_limit = 512)
        """,
    ],
    # A folded name has at most 255 times 18 characters (U+FDFA alone becomes 18), and marks.
    "mysql": [
        *_MYSQL_DOWN,
        """
        CREATE TABLE `user_trigrams` (
            `trigram` VARCHAR(3) NOT NULL,
            `user_id` BINARY(16) NOT NULL,
            PRIMARY KEY (`trigram`, `user_id`)
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        "CREATE TABLE `trigram_positions` (`n` INT NOT NULL, PRIMARY KEY (`n`)) ENGINE = InnoDB",
        f"""
        INSERT INTO `trigram_positions` (`n`)
            SELECT 1 + a.d + 10 * b.d + 100 * c.d + 1000 * e.d FROM ({_DIGITS}) a
            CROSS JOIN ({_DIGITS}) b CROSS JOIN ({_DIGITS}) c CROSS JOIN ({_DIGITS}) e
        """,
        _mysql_trigger("insert", _mysql_new("NEW")),
        _mysql_trigger(
            "update",
            f"""
                IF OLD.`search` <> NEW.`search` THEN{_mysql_gone("OLD")}{_mysql_new("NEW")}
                END IF;""",
        ),
        _mysql_trigger("delete", _mysql_gone("OLD")),
        f"""
        INSERT INTO `user_trigrams` (`trigram`, `user_id`)
            SELECT SUBSTRING({_mysql_marked("u.`search`")}, p.`n`, 3),
                UNHEX(REPLACE(u.`id`, '-', ''))
            FROM `users` u JOIN `trigram_positions` p
                ON p.`n` <= CHAR_LENGTH({_mysql_marked("u.`search`")}) - 2
            ON DUPLICATE KEY UPDATE `trigram` = `user_trigrams`.`trigram`
        """,
    ],
}

# Who else uses the extension is not known, so it stays.
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
