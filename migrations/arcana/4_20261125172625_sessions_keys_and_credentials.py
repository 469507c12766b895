"""What sessions tell of themselves; the key ring, API keys, client secrets, and leases.

Release 0.2.0 works beside it: every new column may be null, and it knows no new table.
"""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


def _unless(there: str, change: str) -> list[str]:
    """Run ``change`` on sessions unless its new columns are there (1) or gone (0) already.

    MySQL commits each statement by itself, so a migration that broke off is begun again.
    """
    found = (
        "(SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND table_name = 'sessions' AND column_name = 'credential_id')"
    )
    return [
        f"SET @arcana = IF({found} = {there}, 'DO 0', '{change}')",
        "PREPARE arcana FROM @arcana",
        "EXECUTE arcana",
        "DEALLOCATE PREPARE arcana",
    ]


UPGRADE = {
    "sqlite": [
        """
        CREATE TABLE IF NOT EXISTS "signing_keys" (
            "kid" VARCHAR(64) NOT NULL PRIMARY KEY,
            "algorithm" VARCHAR(16) NOT NULL,
            "public" TEXT,
            "sealed" TEXT,
            "created_at" TIMESTAMP NOT NULL,
            "signs_from" TIMESTAMP,
            "expires_at" TIMESTAMP
        )
        """,
        """
        CREATE TABLE IF NOT EXISTS "leases" (
            "name" VARCHAR(64) NOT NULL PRIMARY KEY,
            "holder" CHAR(36) NOT NULL,
            "until" TIMESTAMP NOT NULL
        )
        """,
        """
        CREATE TABLE IF NOT EXISTS "api_keys" (
            "id" CHAR(36) NOT NULL PRIMARY KEY,
            "name" VARCHAR(100) NOT NULL,
            "hint" VARCHAR(32) NOT NULL,
            "hash" VARCHAR(64) NOT NULL,
            "scopes" VARCHAR(512) NOT NULL,
            "expires_at" TIMESTAMP,
            "last_used_at" TIMESTAMP,
            "created_at" TIMESTAMP NOT NULL,
            "user_id" CHAR(36) NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE
        )
        """,
        'CREATE INDEX IF NOT EXISTS "ix_api_keys_user_id" ON "api_keys" ("user_id")',
        """
        CREATE TABLE IF NOT EXISTS "client_secrets" (
            "id" CHAR(36) NOT NULL PRIMARY KEY,
            "hint" VARCHAR(32) NOT NULL,
            "hash" VARCHAR(64) NOT NULL,
            "expires_at" TIMESTAMP,
            "last_used_at" TIMESTAMP,
            "created_at" TIMESTAMP NOT NULL,
            "user_id" CHAR(36) NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE
        )
        """,
        'CREATE INDEX IF NOT EXISTS "ix_client_secrets_user_id" ON "client_secrets" ("user_id")',
        'ALTER TABLE "sessions" ADD "credential_id" CHAR(36)',
        'ALTER TABLE "sessions" ADD "agent" VARCHAR(255)',
        'ALTER TABLE "sessions" ADD "last_used_at" TIMESTAMP',
        'ALTER TABLE "sessions" ADD "address" VARCHAR(45)',
        'CREATE INDEX IF NOT EXISTS "ix_sessions_credential_id" ON "sessions" ("credential_id")',
    ],
    "postgres": [
        """
        CREATE TABLE IF NOT EXISTS "signing_keys" (
            "kid" VARCHAR(64) NOT NULL PRIMARY KEY,
            "algorithm" VARCHAR(16) NOT NULL,
            "public" TEXT,
            "sealed" TEXT,
            "created_at" TIMESTAMPTZ NOT NULL,
            "signs_from" TIMESTAMPTZ,
            "expires_at" TIMESTAMPTZ
        )
        """,
        """
        CREATE TABLE IF NOT EXISTS "leases" (
            "name" VARCHAR(64) NOT NULL PRIMARY KEY,
            "holder" UUID NOT NULL,
            "until" TIMESTAMPTZ NOT NULL
        )
        """,
        """
        CREATE TABLE IF NOT EXISTS "api_keys" (
            "id" UUID NOT NULL PRIMARY KEY,
            "name" VARCHAR(100) NOT NULL,
            "hint" VARCHAR(32) NOT NULL,
            "hash" VARCHAR(64) NOT NULL,
            "scopes" VARCHAR(512) NOT NULL,
            "expires_at" TIMESTAMPTZ,
            "last_used_at" TIMESTAMPTZ,
            "created_at" TIMESTAMPTZ NOT NULL,
            "user_id" UUID NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE
        )
        """,
        'CREATE INDEX IF NOT EXISTS "ix_api_keys_user_id" ON "api_keys" ("user_id")',
        """
        CREATE TABLE IF NOT EXISTS "client_secrets" (
            "id" UUID NOT NULL PRIMARY KEY,
            "hint" VARCHAR(32) NOT NULL,
            "hash" VARCHAR(64) NOT NULL,
            "expires_at" TIMESTAMPTZ,
            "last_used_at" TIMESTAMPTZ,
            "created_at" TIMESTAMPTZ NOT NULL,
            "user_id" UUID NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE
        )
        """,
        'CREATE INDEX IF NOT EXISTS "ix_client_secrets_user_id" ON "client_secrets" ("user_id")',
        'ALTER TABLE "sessions" ADD "credential_id" UUID',
        'ALTER TABLE "sessions" ADD "agent" VARCHAR(255)',
        'ALTER TABLE "sessions" ADD "last_used_at" TIMESTAMPTZ',
        'ALTER TABLE "sessions" ADD "address" VARCHAR(45)',
        'CREATE INDEX IF NOT EXISTS "ix_sessions_credential_id" ON "sessions" ("credential_id")',
    ],
    "mysql": [
        """
        CREATE TABLE IF NOT EXISTS `signing_keys` (
            `kid` VARCHAR(64) NOT NULL PRIMARY KEY,
            `algorithm` VARCHAR(16) NOT NULL,
            `public` LONGTEXT,
            `sealed` LONGTEXT,
            `created_at` DATETIME(6) NOT NULL,
            `signs_from` DATETIME(6),
            `expires_at` DATETIME(6)
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        """
        CREATE TABLE IF NOT EXISTS `leases` (
            `name` VARCHAR(64) NOT NULL PRIMARY KEY,
            `holder` CHAR(36) NOT NULL,
            `until` DATETIME(6) NOT NULL
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        """
        CREATE TABLE IF NOT EXISTS `api_keys` (
            `id` CHAR(36) NOT NULL PRIMARY KEY,
            `name` VARCHAR(100) NOT NULL,
            `hint` VARCHAR(32) NOT NULL,
            `hash` VARCHAR(64) NOT NULL,
            `scopes` VARCHAR(512) NOT NULL,
            `expires_at` DATETIME(6),
            `last_used_at` DATETIME(6),
            `created_at` DATETIME(6) NOT NULL,
            `user_id` CHAR(36) NOT NULL,
            CONSTRAINT `fk_api_keys_users_14eca04b` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE,
            KEY `ix_api_keys_user_id` (`user_id`)
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        """
        CREATE TABLE IF NOT EXISTS `client_secrets` (
            `id` CHAR(36) NOT NULL PRIMARY KEY,
            `hint` VARCHAR(32) NOT NULL,
            `hash` VARCHAR(64) NOT NULL,
            `expires_at` DATETIME(6),
            `last_used_at` DATETIME(6),
            `created_at` DATETIME(6) NOT NULL,
            `user_id` CHAR(36) NOT NULL,
            CONSTRAINT `fk_client_s_users_efd6e645` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE,
            KEY `ix_client_secrets_user_id` (`user_id`)
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        *_unless(
            "1",
            "ALTER TABLE sessions"
            " ADD COLUMN credential_id CHAR(36),"
            " ADD COLUMN agent VARCHAR(255),"
            " ADD COLUMN last_used_at DATETIME(6),"
            " ADD COLUMN address VARCHAR(45),"
            " ADD INDEX ix_sessions_credential_id (credential_id)",
        ),
    ],
}

DOWNGRADE = {
    "sqlite": [
        'DROP INDEX IF EXISTS "ix_sessions_credential_id"',
        'ALTER TABLE "sessions" DROP COLUMN "credential_id"',
        'ALTER TABLE "sessions" DROP COLUMN "agent"',
        'ALTER TABLE "sessions" DROP COLUMN "last_used_at"',
        'ALTER TABLE "sessions" DROP COLUMN "address"',
        'DROP TABLE IF EXISTS "client_secrets"',
        'DROP TABLE IF EXISTS "leases"',
        'DROP TABLE IF EXISTS "signing_keys"',
        'DROP TABLE IF EXISTS "api_keys"',
    ],
    "postgres": [
        'DROP INDEX IF EXISTS "ix_sessions_credential_id"',
        'ALTER TABLE "sessions" DROP COLUMN "credential_id"',
        'ALTER TABLE "sessions" DROP COLUMN "agent"',
        'ALTER TABLE "sessions" DROP COLUMN "last_used_at"',
        'ALTER TABLE "sessions" DROP COLUMN "address"',
        'DROP TABLE IF EXISTS "client_secrets"',
        'DROP TABLE IF EXISTS "leases"',
        'DROP TABLE IF EXISTS "signing_keys"',
        'DROP TABLE IF EXISTS "api_keys"',
    ],
    "mysql": [
        *_unless(
            "0",
            "ALTER TABLE sessions"
            " DROP INDEX ix_sessions_credential_id,"
            " DROP COLUMN credential_id,"
            " DROP COLUMN agent,"
            " DROP COLUMN last_used_at,"
            " DROP COLUMN address",
        ),
        "DROP TABLE IF EXISTS `client_secrets`",
        "DROP TABLE IF EXISTS `leases`",
        "DROP TABLE IF EXISTS `signing_keys`",
        "DROP TABLE IF EXISTS `api_keys`",
    ],
}


async def upgrade(db: BaseDBAsyncClient) -> str:
    return ";\n".join(UPGRADE[db.capabilities.dialect])


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ";\n".join(DOWNGRADE[db.capabilities.dialect])


MODELS_STATE = (
    "eJztXW1z2rgW/isavmw7wzJpkqbd9M6dSdJ0l22bdBq63d2bOyBsARpsyWvLoUxv//s9R7"
    "LxKxQHSIH4SxskHUl+JEvnOedI/tqgvkUFbX2UDmuckq8NQV38I5PehJ+el6RigqJ9LdHw"
    "oUSgi/QD5VNLQeKAOgGDJJsFls89xaXAomcEa7dJwBSRA+Ix3+VBAJnBK6JGjPRD7qifuS"
    "BSsIBQnxGX2oxQpXMH3A8UCRT1VQvbs6UFDXIxXH/VoeD/hKyr5JBBtg8N/Oe/kMyFzb7A"
    "w0Y/vXF3wJljZ3DjNlag07tq6um0T5/ar9/oktjtfteSTuiKpLQ3VSMpZsXDkNstlMG8IR"
    "PMp4rZKVhF6DgR/HGS6TEkKD9ks67aSYLNBjR0cHAa/xqEwsIxAbT8O26xliV91uJ20BJs"
    "0uX2v6N+pmS63avrTvfmstPtNgoDi/3JDUiUZMEAwKTgQiFqX7+ZehN0dGoDG7j47ezjk6"
    "OTpxoPGaihrzM1do1vWpAqakT1CCSQ6/8LoF+MqF8Oelw+Bzt0dDOAx/BsANCGS790HSaG"
    "agQ/nx8sAPiPs48a4+cHGmMJr6p5ga+inEOdhVAn0Ka7VQHhnNi9gI5gnOEcF0mATlaZB0"
    "f68PnzJaCGUnOx1nlZsC2fIRxdqopYv4YcxV1WjndWMge3HYm24j/uM8uXQX/ewmI50hq3"
    "QmV1hZz8iLWl035/edM5e/8Bq3eD4B9HQ3rWucScQ506zaU+OckN3awS8rnd+Y3gT/L39d"
    "VlfsGalev83cA+0VBJfPAutdOwxclxUmYmhJ59z5mQlaxnwi7OBNQtBuPUVocJfWqNJ9S3"
    "u4UceSjnlS1muYdu6R4awjgFxcn2noppR+K/erq1AWcqrLLdM9IXP0E9O7eLfovfojg1ad"
    "+VNnO6OaU4fkifOfpli7NnqvBA+hr/MZvG4HaNqjcbmigLRaIsNfJlOBzNBGa1AcrQCabM"
    "pnt2c3H2Ws+1bhpk7K+eOS70cKiT8GH1vEv1ukTFj59mvoo/mxzLqPigegfw3ksfNGxrxA"
    "UjE65GhApCLUuGolR5/77QrbgVvR5zKXd6PcID0NZhRbEJqPRcBajWEyF9lzoEwHfJk15P"
    "rziKfVEtk9GNhJ9CtTYxM4/0p4qhxK3Av1qk1wsYIDAybWhuIB0b2kHQtCC8vPB+B1hUyT"
    "ETXeZJXd7nAVCLyQgG5Y752HEoRnSZ4FYM+R2DBwwV6TNoD/hHCJRDSOJIMYTifUYUhaIt"
    "8hmeHMv1eh4NgomEyTKiAbYgZF/aUwLjA1JDePQWYgKNIdGZ9QAQwX5D8pR8+oCrGDIipn"
    "9bIwqt4W8s4stJU6Onpxqijz88Xw64A2MLT3srAAVMvOzQIT4ywMl8AWBy20BEhUSKRIJp"
    "oJj7U2CAgifULZhxfQVVEIOKw+gdC5YkWV8byVIFWiNVoZ6F8LpgQfbFw4FAjhfLzkjYl6"
    "6es10jFL9g0VLV0MIwkfUPvfGm25kKq3u/xhLJxS3W5HF7yKNeFKpwm5nA3tHHjZCazBpW"
    "BeeC4P6xyOfPDpch7M8O5zN2zMsC/mOtIVuF70YmtNEPigh3YIEvRziR2AuMF9Gryz87GW"
    "YVI/nk/dmfTzPs6t311a9x8RTyF++uz/OAz/bi4pS+FKFbYCZZ8GfSDwd+A1RkUPcqboSN"
    "s4tO+4/LU2Kkb0X7Kk7hIk67+XTz4fLq9eXrUxKEgcegF3Zen17m1Xh2ssSb8SzPfJMXA7"
    "Nyw5TVm+41VtkqHnDAsGVmVx2wm7+uLvRIaOlbgSPTvvr1lOC4wFjcijdn7XdYYgA6w7YM"
    "lFZguqCMc6iyROE8l8AGqFig/WSEc6PUB+lNDdMs5WFXtfPr63eZVe28nV+2Pr0/v4Rh0K"
    "MAhbjh6u2rTg77FGMsAt8WczaQnFQOcbRXbAjwg01t00Pswc+Hz45fHL88Ojl+CUV0L2cp"
    "LxaMRxHW2nL+mO2lteW8ngnFmRCZxSossymJh1tin+3IEpsy/FWylmTF1sLh99FkUsHnk6"
    "aikUWyqMNFkm/efkQfRfmsjuz/N6aW3WWiBb9NZuJSj6OzZUWQzjz+lk33FSPL4UyobsBA"
    "HVIrInWh67rRVe0TXpVcrSn7p/GmzMf0WrCOhH++jyw66j4k1e2W5XMhrvO80olDdTWvdB"
    "zFuFPG+ape6fgh817pxLWf9UqnXM95r3TKYb2aVzoJaFjolo5n9RzvdGrSL3ZSd6O3bUln"
    "9ecRVYQSlCSKOU5AaB89r2rE3IA5dyx4pR3LvpxExZpkKGPnNC/xZK+lxjr6dJcciPQOcv"
    "xu6FfyImal9tC1dbBcLOqiYNRCNGqfyyoYR8X3D9xnB0uhi8Xm24UPivh6gFMl3+FMYP8w"
    "PlwG4cP5+B4W0K2NlLVpqjZS1jMhMxMSRXtZpS0l8rCa248JKfiOZrZSrHR2HIqDEFPzRx"
    "r77NPJjGKkp10p8/tWKfB8ISOMDZIlbDBlq5zPBNNm0e+TQBhfjKY1ZwM1ObMZLmlNMvCl"
    "SyYjbo2IzwYw70ZRNC/BKpiwi/xvlcowwrkt7qjPqVCneDTRhflu6GJaAqNurdD3mVBNHW"
    "SrY59Dt88wHhrjnkOhmN/rvYrCeZnNMBQZg5xdOsVIY595Dp3iccmR9JUzJXQAEiDrSxXt"
    "LyhuYoYx/tnXjUAvTUx0hLAOl6YOlAUSy4JbAdNHEkatqKdNEsg40JhQB6tw6ZgFRMSUN+"
    "LG8TbyU0DGbNrESG6dDD/iYrciqqhFzuL2DWvu9XQUjO5zHGXM7/CU55DqEGkMkoaZJjAf"
    "I7jhl4nhxt8+0y1Z1HGYD+0D7GYAmxgPHZ0PdSgMRDQI+ND4G4N+o0Y5PDq+M/DUwOpdLk"
    "ITSm4h9ELxVLi0bktbSImxtmJo9IQGMCrD0DzQKxKEgCCdPeWIQv1CZmfBfUKoM/1ZIqw5"
    "fpG6WcHmsqHU8ZpRoaW05WmpNqBeDhWjRlShmZTU/JZqK8v2WFlwmSmxoXNB/emcqMtIIh"
    "+fNFXGPLibfonS+CSMmUwrvEBCz9tXZx//Kg+7jMunh+D8r87lWZ6wmo2kggc9JVEHKeU9"
    "6MneWpX1ZSVr1rfrrC+7+1SZCVnJHzUTflBw+c4Nc6SWVh7klNwahnjLzKz7N8KT0bSK0T"
    "wjtH+G86NlzjQdzT/SdFQ40VQbzuv3rTac1zMhE9WH9pwqq+5MYP9W3I0cc4xMZJUgTkT2"
    "D+TjZTA+ng/xcQHhtBGx6nKWl63VxG1erArm02VNhwXBFayIuzO+3zUTbqP/dGfhLHhQv+"
    "cVfQMaCx+Kt2zTd0JtB6Rr9oyu8/quhV7UC33VT6PEiRrlNBf5UM1FQRVcqBOfq8gBZsJa"
    "Z/cKNdO3CsWXDMWemHIX6n0ry7lQuUKXGxdQhTJXRaH7DR5GBNRo4dFFSKY9KG5iduUg9l"
    "z6DGswTkUp2K1IOy31xUfo54tmQK9HPImzB3uO1yLBE53O/J8gZdyS2GOUaJG2Heg7m6Ke"
    "3Qrpa1frIOpzgJ5QfZ+tJV2X42/o1mQkdX+A20bu2AGDp3OkHAcE5w6g5nClHHYfH+FSfr"
    "RodqzRfXbOh3O9CqWLdYlDIXo5tzbUInIo/HJ4eHT04vDg6OTl8+MXL56/PJh5FopZi1wM"
    "5+1f0cuQUWtit8N8T1q9Za5VAxlD76uQpLj8XlwFs2nLX3ViVNt3dpcyrRTLtz7FqW0z15"
    "OKCWv6Vh+HKihQuRILFSmelJ0dQ13mGk1tusaJRIMx7O54oWIoUDugJkQKA5lQkwBdZqKV"
    "E4slCguoKmW3bK5cZ06/ilUbDEjTCgpqWToma4LnoEr0KR3RBfoMTfqisKi5H4dgiJrl02"
    "CE2lpABj5jURQXuTL6lNZ6ENtYdTOBW82kchM5hv3Rj4MRZR70VUelYaCWflaoH6+VQ+XN"
    "PGwSnZWEot1xNgGoyO8311emgSC+29JExtlS+vfRsSrFLOUn0IqxS1BF5av40jJ7d+vhyf"
    "ESu9bJ8dxdC7MWa1zSQ2wqXqGfEdpDZWFdsKfDlfQrX3l25+VqsJcA26yaRZjn34KYSOyD"
    "c2CRrrWJSxB33QdeewrqyLDHPcxbwm5u+FAAzHOYTSp3IasJTLkKjAbNupHyr2kD6vJa9c"
    "eq0LAJ/2kGAATCcfTP7BX65Zbi1arUfAYIj8MH7JR4Yd/hmns86fV0HV08tWOoAcL41NSJ"
    "7TxJkRlNmZyh9IH5uIb/mEMjigUKD5+k63qKFz5IQ770NZpTrC4Uijv6ev34Le71kJzoLl"
    "mmB9jM75/fJowEu2S+XUBJMHVdBshYmqeZzxgAo0pojefzO+gQ8aivmgTYhD/1kK6lCCCB"
    "v/gdEkM8q6QJkzmjgmdv8DgShcf18AAS8CnThf404kxYDCgTt4GpYbdcBvu9GQ1Dx8SAD0"
    "Nff6FNH3uZjCQavm1joUeUxvEZGXhQ5gxiRrfqlRjjaheWjVe4qOxx05zZK1AF7ozQHmre"
    "67++1ywJVTTvRKLWvO9x/bheSKvgnUjUeD8+plP7AFbRkjNv3kxtqjoTspJ1cNw2j/IWUd"
    "56lPeR8UZXt5aw3eRS1/lMN3197DJ+u/jKguiuBxp9Au0nHbQ09KkbGCLK0QtnCJIp0dRi"
    "kAzczQKaFQADLPHhrbV+5L/XwplCWvSJuchfZmhtk6SdZTHVjQgcEsnEBRjf66AZG1bHxe"
    "xmBPz8NhtyIWYEXX+xbwLvIhnDhEHGB0yyleqZvpcBRyvQ7UAPgGkGHgXyTp58fHNBTl4c"
    "/0Juw4MD+uKodfT0Pl645W8niOfAErcT1HcGbM+dAfWXsNI3Bi7DQxffF5hnoiNe7QhOXH"
    "4P8V1/6FNVL2btvazgvTTbTBV4E4k9BHgj3yGs9fp91evrQ2yPcaRru1w9E+oTBPWhuweB"
    "dGcP3aU/flN29C73cZwFB/AKn+RZLsYCg6ujm0PVREbGmiBrMorWPwyGwAvb8MJLdMIXLC"
    "vHreOn5WEXa2+lkiWqxOxkepCxPJGM4SmKYfCY9Bym49Ijq9NGLUfZUaztR1u3EDcX2I9q"
    "+0Zt39hN+0bNvR+DHl5z78cy0jX3rmdCzb1r7v0gkO4q937HaMAaJaTbZDQXsW0Hiywd42"
    "GHamoCGfA7Fp4v9ZkC/eVHXEWRo54iE9VfzgAuCr+RbMZB/vr/Xq8JCQ4K+jBNJqzkayIb"
    "bWmFkPof61h/VEH1ZmSrLPeJRL3a52+Lw9ehqgY1E6rP1G2dZrQtEYbM59aobOuJchbuPT"
    "Qp8729Z/7ArvmbwY/lLq4VP+4xf92+Y378obJld8mUyB4auTZzSTG8VBUQjorvIbobie+D"
    "FlXpLdt49nOOuSERyW+X3FLkf8ThwcY+BPRjNkoEI7NHFg5B5c875TY/rOB81U9ZrrqZff"
    "s/54YAJQ=="
)
