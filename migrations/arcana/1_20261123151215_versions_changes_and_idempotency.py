"""Versions of users, another system's ids, longer hashes; the change feed; idempotency keys.

It only adds: release 0.1.0 reads and writes beside it, for the database itself fills in what that
release does not know. On the way back, hashes that fit no longer go: their owners log in again
after a reset.
"""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

_KEPT = (
    '"id", "email", "password_hash", "name", "search", "status", "sync_status", "email_verified",'
    ' "token_epoch", "created_at", "updated_at"'
)
_INDEXES = [
    'CREATE INDEX "ix_users_status_id" ON "users" ("status", "id")',
    'CREATE INDEX "ix_users_sync_status_id" ON "users" ("sync_status", "id")',
]
_SHORTEN = "UPDATE users SET password_hash = NULL WHERE LENGTH(password_hash) > 255"


def _rebuilt(hash_length: int, more: str) -> list[str]:
    """SQLite's way to change a column: a new table, copy, drop, rename."""
    return [
        f"""
        CREATE TABLE "new_users" (
            "id" CHAR(36) NOT NULL PRIMARY KEY,
            "email" VARCHAR(255) NOT NULL,
            "password_hash" VARCHAR({hash_length}),
            "name" VARCHAR(255) NOT NULL,
            "search" TEXT NOT NULL,
            "status" VARCHAR(16) NOT NULL,
            "sync_status" VARCHAR(16) NOT NULL,
            "email_verified" INT NOT NULL,
            "token_epoch" INT NOT NULL,
            "created_at" TIMESTAMP NOT NULL,
            "updated_at" TIMESTAMP NOT NULL,
            {more}CONSTRAINT "uq_users_email" UNIQUE ("email")
        )
        """,
        f'INSERT INTO "new_users" ({_KEPT}) SELECT {_KEPT} FROM "users"',  # ours
        'DROP TABLE "users"',
        'ALTER TABLE "new_users" RENAME TO "users"',
        *_INDEXES,
    ]


def _unless(there: str, change: str) -> list[str]:
    """``change``, unless the column ``version`` is ``there`` (1) or not (0) already.

    DDL commits by itself on MariaDB and MySQL, so a migration that was interrupted must be able to
    run again; only MariaDB knows IF NOT EXISTS for columns.
    """
    found = (
        "(SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND table_name = 'users' AND column_name = 'version')"
    )
    return [
        f"SET @arcana = IF({found} = {there}, 'DO 0', '{change}')",
        "PREPARE arcana FROM @arcana",
        "EXECUTE arcana",
        "DEALLOCATE PREPARE arcana",
    ]


UPGRADE = {
    "sqlite": [
        *_rebuilt(
            512,
            """"version" INT NOT NULL DEFAULT 1,
            "external_id" VARCHAR(255),
            CONSTRAINT "uq_users_external_id" UNIQUE ("external_id"),
            """,
        ),
        """
        CREATE TABLE "changes" (
            "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
            "user_id" CHAR(36) NOT NULL,
            "kind" VARCHAR(32) NOT NULL,
            "at" TIMESTAMP NOT NULL
        )
        """,
        'CREATE INDEX "ix_changes_at" ON "changes" ("at")',
        """
        CREATE TABLE "idempotency_keys" (
            "key_hash" VARCHAR(64) NOT NULL PRIMARY KEY,
            "operation" VARCHAR(64) NOT NULL,
            "command_hash" VARCHAR(64) NOT NULL,
            "answer" TEXT,
            "created_at" TIMESTAMP NOT NULL,
            "expires_at" TIMESTAMP NOT NULL
        )
        """,
        'CREATE INDEX "ix_idempotency_keys_expires_at" ON "idempotency_keys" ("expires_at")',
    ],
    "postgres": [
        """
        ALTER TABLE "users"
            ADD COLUMN "version" INT NOT NULL DEFAULT 1,
            ADD COLUMN "external_id" VARCHAR(255),
            ADD CONSTRAINT "uq_users_external_id" UNIQUE ("external_id"),
            ALTER COLUMN "password_hash" TYPE VARCHAR(512)
        """,
        """
        CREATE TABLE "changes" (
            "id" BIGSERIAL NOT NULL,
            "user_id" UUID NOT NULL,
            "kind" VARCHAR(32) NOT NULL,
            "at" TIMESTAMPTZ NOT NULL,
            CONSTRAINT "pk_changes" PRIMARY KEY ("id")
        )
        """,
        'CREATE INDEX "ix_changes_at" ON "changes" ("at")',
        """
        CREATE TABLE "idempotency_keys" (
            "key_hash" VARCHAR(64) NOT NULL,
            "operation" VARCHAR(64) NOT NULL,
            "command_hash" VARCHAR(64) NOT NULL,
            "answer" TEXT,
            "created_at" TIMESTAMPTZ NOT NULL,
            "expires_at" TIMESTAMPTZ NOT NULL,
            CONSTRAINT "pk_idempotency_keys" PRIMARY KEY ("key_hash")
        )
        """,
        'CREATE INDEX "ix_idempotency_keys_expires_at" ON "idempotency_keys" ("expires_at")',
    ],
    "mysql": [
        """
        CREATE TABLE IF NOT EXISTS `changes` (
            `id` BIGINT NOT NULL AUTO_INCREMENT,
            `user_id` CHAR(36) NOT NULL,
            `kind` VARCHAR(32) NOT NULL,
            `at` DATETIME(6) NOT NULL,
            PRIMARY KEY (`id`),
            KEY `ix_changes_at` (`at`)
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        """
        CREATE TABLE IF NOT EXISTS `idempotency_keys` (
            `key_hash` VARCHAR(64) NOT NULL,
            `operation` VARCHAR(64) NOT NULL,
            `command_hash` VARCHAR(64) NOT NULL,
            `answer` LONGTEXT,
            `created_at` DATETIME(6) NOT NULL,
            `expires_at` DATETIME(6) NOT NULL,
            PRIMARY KEY (`key_hash`),
            KEY `ix_idempotency_keys_expires_at` (`expires_at`)
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        *_unless(
            "1",
            "ALTER TABLE users"
            " ADD COLUMN version INT NOT NULL DEFAULT 1,"
            " ADD COLUMN external_id VARCHAR(255),"
            " ADD CONSTRAINT uq_users_external_id UNIQUE (external_id),"
            " MODIFY COLUMN password_hash VARCHAR(512)",
        ),
    ],
}

DOWNGRADE = {
    "sqlite": [
        'DROP TABLE IF EXISTS "idempotency_keys"',
        'DROP TABLE IF EXISTS "changes"',
        _SHORTEN,
        *_rebuilt(255, ""),
    ],
    "postgres": [
        'DROP TABLE IF EXISTS "idempotency_keys"',
        'DROP TABLE IF EXISTS "changes"',
        _SHORTEN,
        """
        ALTER TABLE "users"
            DROP COLUMN "version",
            DROP COLUMN "external_id",
            ALTER COLUMN "password_hash" TYPE VARCHAR(255)
        """,
    ],
    "mysql": [
        "DROP TABLE IF EXISTS `idempotency_keys`",
        "DROP TABLE IF EXISTS `changes`",
        _SHORTEN,
        *_unless(
            "0",
            "ALTER TABLE users"
            " DROP INDEX uq_users_external_id,"
            " DROP COLUMN external_id,"
            " DROP COLUMN version,"
            " MODIFY COLUMN password_hash VARCHAR(255)",
        ),
    ],
}


async def upgrade(db: BaseDBAsyncClient) -> str:
    return ";\n".join(UPGRADE[db.capabilities.dialect])


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
