"""The first tables: roles, users, who holds which role, profiles, sessions; aerich's own history."""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

UPGRADE = {
    "sqlite": [
        """
        CREATE TABLE "roles" (
            "id" CHAR(36) NOT NULL PRIMARY KEY,
            "name" VARCHAR(50) NOT NULL,
            "description" VARCHAR(255),
            "created_at" TIMESTAMP NOT NULL,
            "updated_at" TIMESTAMP NOT NULL,
            CONSTRAINT "uq_roles_name" UNIQUE ("name")
        )
        """,
        """
        CREATE TABLE "users" (
            "id" CHAR(36) NOT NULL PRIMARY KEY,
            "email" VARCHAR(255) NOT NULL,
            "password_hash" VARCHAR(255),
            "name" VARCHAR(255) NOT NULL,
            "search" TEXT NOT NULL,
            "status" VARCHAR(16) NOT NULL,
            "sync_status" VARCHAR(16) NOT NULL,
            "email_verified" INT NOT NULL,
            "token_epoch" INT NOT NULL,
            "created_at" TIMESTAMP NOT NULL,
            "updated_at" TIMESTAMP NOT NULL,
            CONSTRAINT "uq_users_email" UNIQUE ("email")
        )
        """,
        'CREATE INDEX "ix_users_status_id" ON "users" ("status", "id")',
        'CREATE INDEX "ix_users_sync_status_id" ON "users" ("sync_status", "id")',
        """
        CREATE TABLE "user_roles" (
            "user_id" CHAR(36) NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
            "role_id" CHAR(36) NOT NULL REFERENCES "roles" ("id") ON DELETE CASCADE,
            PRIMARY KEY ("user_id", "role_id")
        ) WITHOUT ROWID
        """,
        'CREATE INDEX "ix_user_roles_role_id" ON "user_roles" ("role_id")',
        """
        CREATE TABLE "user_profiles" (
            "id" CHAR(36) NOT NULL PRIMARY KEY,
            "user_id" CHAR(36) NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
            "avatar_url" VARCHAR(500),
            "bio" VARCHAR(1000),
            "phone" VARCHAR(20),
            "created_at" TIMESTAMP NOT NULL,
            "updated_at" TIMESTAMP NOT NULL,
            CONSTRAINT "uq_user_profiles_user_id" UNIQUE ("user_id")
        )
        """,
        """
        CREATE TABLE "sessions" (
            "id" CHAR(36) NOT NULL PRIMARY KEY,
            "user_id" CHAR(36) NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
            "salt" BLOB NOT NULL,
            "counter" INT NOT NULL,
            "rotated_at" TIMESTAMP NOT NULL,
            "expires_at" TIMESTAMP NOT NULL,
            "ended_at" TIMESTAMP,
            "ended_why" VARCHAR(32),
            "created_at" TIMESTAMP NOT NULL,
            "updated_at" TIMESTAMP NOT NULL
        )
        """,
        'CREATE INDEX "ix_sessions_user_id" ON "sessions" ("user_id")',
        'CREATE INDEX "ix_sessions_expires_at" ON "sessions" ("expires_at")',
        """
        CREATE TABLE "aerich" (
            "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
            "version" VARCHAR(255) NOT NULL,
            "app" VARCHAR(100) NOT NULL,
            "content" JSON NOT NULL
        )
        """,
    ],
    "postgres": [
        """
        CREATE TABLE "roles" (
            "id" UUID NOT NULL,
            "name" VARCHAR(50) NOT NULL,
            "description" VARCHAR(255),
            "created_at" TIMESTAMPTZ NOT NULL,
            "updated_at" TIMESTAMPTZ NOT NULL,
            CONSTRAINT "pk_roles" PRIMARY KEY ("id"),
            CONSTRAINT "uq_roles_name" UNIQUE ("name")
        )
        """,
        """
        CREATE TABLE "users" (
            "id" UUID NOT NULL,
            "email" VARCHAR(255) NOT NULL,
            "password_hash" VARCHAR(255),
            "name" VARCHAR(255) NOT NULL,
            "search" TEXT NOT NULL,
            "status" VARCHAR(16) NOT NULL,
            "sync_status" VARCHAR(16) NOT NULL,
            "email_verified" BOOL NOT NULL,
            "token_epoch" INT NOT NULL,
            "created_at" TIMESTAMPTZ NOT NULL,
            "updated_at" TIMESTAMPTZ NOT NULL,
            CONSTRAINT "pk_users" PRIMARY KEY ("id"),
            CONSTRAINT "uq_users_email" UNIQUE ("email")
        )
        """,
        'CREATE INDEX "ix_users_status_id" ON "users" ("status", "id")',
        'CREATE INDEX "ix_users_sync_status_id" ON "users" ("sync_status", "id")',
        """
        CREATE TABLE "user_roles" (
            "user_id" UUID NOT NULL,
            "role_id" UUID NOT NULL,
            CONSTRAINT "pk_user_roles" PRIMARY KEY ("user_id", "role_id"),
            CONSTRAINT "fk_user_roles_user_id" FOREIGN KEY ("user_id")
                REFERENCES "users" ("id") ON DELETE CASCADE,
            CONSTRAINT "fk_user_roles_role_id" FOREIGN KEY ("role_id")
                REFERENCES "roles" ("id") ON DELETE CASCADE
        )
        """,
        'CREATE INDEX "ix_user_roles_role_id" ON "user_roles" ("role_id")',
        """
        CREATE TABLE "user_profiles" (
            "id" UUID NOT NULL,
            "user_id" UUID NOT NULL,
            "avatar_url" VARCHAR(500),
            "bio" VARCHAR(1000),
            "phone" VARCHAR(20),
            "created_at" TIMESTAMPTZ NOT NULL,
            "updated_at" TIMESTAMPTZ NOT NULL,
            CONSTRAINT "pk_user_profiles" PRIMARY KEY ("id"),
            CONSTRAINT "uq_user_profiles_user_id" UNIQUE ("user_id"),
            CONSTRAINT "fk_user_profiles_user_id" FOREIGN KEY ("user_id")
                REFERENCES "users" ("id") ON DELETE CASCADE
        )
        """,
        """
        CREATE TABLE "sessions" (
            "id" UUID NOT NULL,
            "user_id" UUID NOT NULL,
            "salt" BYTEA NOT NULL,
            "counter" INT NOT NULL,
            "rotated_at" TIMESTAMPTZ NOT NULL,
            "expires_at" TIMESTAMPTZ NOT NULL,
            "ended_at" TIMESTAMPTZ,
            "ended_why" VARCHAR(32),
            "created_at" TIMESTAMPTZ NOT NULL,
            "updated_at" TIMESTAMPTZ NOT NULL,
            CONSTRAINT "pk_sessions" PRIMARY KEY ("id"),
            CONSTRAINT "fk_sessions_user_id" FOREIGN KEY ("user_id")
                REFERENCES "users" ("id") ON DELETE CASCADE
        )
        """,
        'CREATE INDEX "ix_sessions_user_id" ON "sessions" ("user_id")',
        'CREATE INDEX "ix_sessions_expires_at" ON "sessions" ("expires_at")',
        """
        CREATE TABLE "aerich" (
            "id" SERIAL NOT NULL,
            "version" VARCHAR(255) NOT NULL,
            "app" VARCHAR(100) NOT NULL,
            "content" JSONB NOT NULL,
            CONSTRAINT "pk_aerich" PRIMARY KEY ("id")
        )
        """,
    ],
    # DDL commits by itself here, so a migration that was interrupted must be able to run again.
    "mysql": [
        """
        CREATE TABLE IF NOT EXISTS `roles` (
            `id` CHAR(36) NOT NULL,
            `name` VARCHAR(50) NOT NULL,
            `description` VARCHAR(255),
            `created_at` DATETIME(6) NOT NULL,
            `updated_at` DATETIME(6) NOT NULL,
            PRIMARY KEY (`id`),
            CONSTRAINT `uq_roles_name` UNIQUE (`name`)
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        """
        CREATE TABLE IF NOT EXISTS `users` (
            `id` CHAR(36) NOT NULL,
            `email` VARCHAR(255) NOT NULL,
            `password_hash` VARCHAR(255),
            `name` VARCHAR(255) NOT NULL,
            `search` LONGTEXT NOT NULL,
            `status` VARCHAR(16) NOT NULL,
            `sync_status` VARCHAR(16) NOT NULL,
            `email_verified` BOOL NOT NULL,
            `token_epoch` INT NOT NULL,
            `created_at` DATETIME(6) NOT NULL,
            `updated_at` DATETIME(6) NOT NULL,
            PRIMARY KEY (`id`),
            CONSTRAINT `uq_users_email` UNIQUE (`email`),
            KEY `ix_users_status_id` (`status`, `id`),
            KEY `ix_users_sync_status_id` (`sync_status`, `id`)
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        """
        CREATE TABLE IF NOT EXISTS `user_roles` (
            `user_id` CHAR(36) NOT NULL,
            `role_id` CHAR(36) NOT NULL,
            PRIMARY KEY (`user_id`, `role_id`),
            KEY `ix_user_roles_role_id` (`role_id`),
            CONSTRAINT `fk_user_roles_user_id` FOREIGN KEY (`user_id`)
                REFERENCES `users` (`id`) ON DELETE CASCADE,
            CONSTRAINT `fk_user_roles_role_id` FOREIGN KEY (`role_id`)
                REFERENCES `roles` (`id`) ON DELETE CASCADE
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        """
        CREATE TABLE IF NOT EXISTS `user_profiles` (
            `id` CHAR(36) NOT NULL,
            `user_id` CHAR(36) NOT NULL,
            `avatar_url` VARCHAR(500),
            `bio` VARCHAR(1000),
            `phone` VARCHAR(20),
            `created_at` DATETIME(6) NOT NULL,
            `updated_at` DATETIME(6) NOT NULL,
            PRIMARY KEY (`id`),
            CONSTRAINT `uq_user_profiles_user_id` UNIQUE (`user_id`),
            CONSTRAINT `fk_user_profiles_user_id` FOREIGN KEY (`user_id`)
                REFERENCES `users` (`id`) ON DELETE CASCADE
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        """
        CREATE TABLE IF NOT EXISTS `sessions` (
            `id` CHAR(36) NOT NULL,
            `user_id` CHAR(36) NOT NULL,
            `salt` LONGBLOB NOT NULL,
            `counter` INT NOT NULL,
            `rotated_at` DATETIME(6) NOT NULL,
            `expires_at` DATETIME(6) NOT NULL,
            `ended_at` DATETIME(6),
            `ended_why` VARCHAR(32),
            `created_at` DATETIME(6) NOT NULL,
            `updated_at` DATETIME(6) NOT NULL,
            PRIMARY KEY (`id`),
            KEY `ix_sessions_user_id` (`user_id`),
            KEY `ix_sessions_expires_at` (`expires_at`),
            CONSTRAINT `fk_sessions_user_id` FOREIGN KEY (`user_id`)
                REFERENCES `users` (`id`) ON DELETE CASCADE
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        """
        CREATE TABLE IF NOT EXISTS `aerich` (
            `id` INT NOT NULL AUTO_INCREMENT,
            `version` VARCHAR(255) NOT NULL,
            `app` VARCHAR(100) NOT NULL,
            `content` JSON NOT NULL,
            PRIMARY KEY (`id`)
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
    ],
}

_TABLES = ["aerich", "sessions", "user_profiles", "user_roles", "users", "roles"]
"""Those that point before those they point to."""

DOWNGRADE = {
    "sqlite": [f'DROP TABLE IF EXISTS "{table}"' for table in _TABLES],
    "postgres": [f'DROP TABLE IF EXISTS "{table}"' for table in _TABLES],
    "mysql": [f"DROP TABLE IF EXISTS `{table}`" for table in _TABLES],
}


async def upgrade(db: BaseDBAsyncClient) -> str:
    return ";\n".join(UPGRADE[db.capabilities.dialect])


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ";\n".join(DOWNGRADE[db.capabilities.dialect])


MODELS_STATE = (
    "eJztW+tv2zgS/1cIf7kWyBqJ23QX6eEAJ3F3fds4ReJst3s5yLRE20Qk0ktRcYxe/vebod"
    "4PO1bedv0lscgZkvrNkJyXvjeosqmgzTPpssYB+d4Q1MMfufYdeJxO01Zs0HRoOBoKKHxD"
    "MvS1oraGxhF1fQZNDvNtxaeaS4GkbYKjO8RnmsgRmTLlcd+HTv8j0RNGhgF39U9cECmYT6"
    "hixKMOI1Sb3hFXvia+pko3cT5H2jAhF+PHHzoQ/O+AWVqOGXQrmOA//4VmLhx2Ay8bPU6v"
    "rBFnrpPDjTs4gGm39Hxq2i4uusefDCUue2jZ0g08kVJP53oiRUIeBNxpIg/2jZlgimrmZG"
    "AVgetG8MdN4YqhQauAJUt10gaHjWjgonAa/xwFwkaZAFrqmtusaUvFmtzxm4LNLO78K1pn"
    "hseyeqd967zTt6xGSbC4noJAoiYbBABKwYVG1L7fhuOm6JjWBk5w9Fv77M27D28NHtLXY2"
    "U6DXaNW8NINQ1ZjQRSyM3/EuhHE6qqQY/pC7DDQp8G8BieJwC04dEby2VirCfwuL+7BOA/"
    "2mcG4/1dg7GErRpu4F7U0zJdCHUKbXZZNRAusN0L6AjGBOeYJAU6PWWeHenW/v4KUAPVQq"
    "xNXx5sWzGEw6K6jPUx9GjusWq885wFuJ2ItRn/uI+Wr4L+ooPFdqV91Qy0bQk5e4mzpd89"
    "6Zz32ydfcHjP9/92DaTtfgd7WqZ1Xmh986EgumQQ8rXb/43gI/nrtNcpHlgJXf+vBq6JBl"
    "rii1vUycIWN8dNOU0Ips49NSHPudWEddQEtC1GV5mrDhuG1L6aUeVYpR7Zkotoy11ey6u8"
    "QwOQk19WthMq5n2Jf426dQFnKuyq2zOyFy9gnLW7RW/jXRS3pvN70mGuVTCK45dUzDWbLe"
    "5OTOGRVAb/KzaPwbVCUy8RTdSFLFGXnigZjCcJQzIaoAyLYDq8dNvnR+1jo2tWFmRcr9Ec"
    "D1Y4Nk34skbvMquuMPHjt1ls4ifKsYqJD6a3D/teKrCw7QkXjMy4nhAqCLVtGYhK4/1upk"
    "txKQYD5lHuDgaE+2Ctw4niEDDpufbRrCdCKo+6BMD3yJvBwJw4mt3oZthhRcxvYViHhJpH"
    "hnPNkONS4K8mGQx8BghMwjmMbyBdB+ZB0AwjbF7Y3z6SannFhMWm0tAr7oNrMZuAUK6Zwo"
    "UDGTE0/qUY82sGLxhoMmQwH/gfAbgcQhJXijGQDxnRFEib5Cu8OdINBlPq+zMJyjKhPs4g"
    "5FA6cwLyAa4xvPqKzsr3RrrlwfqiOjDSBLVDQnYzxRdCXynmTZyZG8vI3gqZYkWNtnzDMI"
    "NCmAdzgWXnmQvbut9kKefyGbdO2OtxwszmquMjJAwb54Y9iXOQOwvq4Fxi3HpjKwH+slGF"
    "zcc3vGfLCPfhgK9GOOXYCIyXuSmdP/s5DyVG8s1J+8+3OS/l82nv15g8g/zR59PDIuDJXV"
    "xW6Y4IvJKFnwc/4X4+8BtgaoLZVPMibLSP+t0/Ogck5L4U3V7cwkXcdn5x/qXTO+4cHxA/"
    "8KcMVuEU7dJVtsbehxV2xl7Rg0w3BnYVxJS3m+4lq/wQzygwnJk5dQV2/q13ZCRhuC8FSq"
    "bb+/WAoFxAFpfiU7v7GSlGYDO8FkEZA8YCU5/DkBUG56EEB46KJdZPjrkgpSFwP5WYkpbn"
    "PdUOT08/5061w27x2Lo4OeyAGIwUgIiHPm+31y9gn/G8ysB3xYILpMBVQBz9/icCfPepru"
    "kxruCn1t77n9//8u7D+1+AxKwyafl5iTzKsG4j0D9y3HEbgd5qQu0IdNagj+I65Zsw4vz0"
    "+xlGTKuzglE08jwcZX3t+VIU+bZWkD7j8Ss54m6FDxrDeSpYX8Kfu0HFEO+XdLj18vWX4r"
    "oon5GG4h+Wz4jrX9YqHFU3nxG/ZDGfkSaF8vmMTNKimM/IpDoels9ID6KlCY1YqxfkNTJK"
    "vzy9YUW7bcU0x9cJ1YQS5CSaua5P6BBj9nrCPJ+518z/aFISSs4ish0ylnFag1fkQB5lxG"
    "3d0jqFzOk19CgrULXi5nmuzQvm7u+uVsW0rIypVMc05LIOxhH55oG7t7sSuki2OBKyW8Z3"
    "CjjVipYnDJuHcWsVhFuL8W2V0N265T+yM7Z1y7eaUKEJqaG9qtGWYXley+1lkmh3WGYPqr"
    "LLy6EshNg1/0Gr5hSdJS5GVu0qPb/bWiWLSz3COHhU4Q1m4kqLPcFsCOtuJxDki3VY4Vcl"
    "xjlzGB5pO2SkpEdmE25PiGIj0LtJVAdGcAgmnLL/95DBsDauK66p4lToA/yoxQN9D93FLA"
    "eWtNmBUkzoHVPbZqrmAm/IsJIOK+YCoZkaDD6amroptDIsYsPyOI/OsUZNsalL5/ihzUQq"
    "7c4JHQEH8Cqpo/sF2bECbk6wck6ZSWCVYTVdhLAptKMu0IITy/xLAeojCaN2tNId4ktDb9"
    "xdF4fw6BXziYhd3sg3jq+Rf/jkis13sAbQNMNDTHYpooGapB3PH3rNg4HJ+5o1k7Bqz+XX"
    "+H3QmN6vuC7W9btL3WJVs7IRk5UK62BcDgPjTV5jmgzX4pm20YHXEx3A7VER++WCqvmC+p"
    "iIo5hJnuswrLWe8fTKTDJWt2QNNXCeDru99tm36gKZmD4rgsNv/U676GiFB2CNlHKGY5tO"
    "LqaT0zuhrreS59x6K+vureRvnzqakOd8KU14oTLAtRNzZE7VFnKG7xFE/MrCg5sn4dlkXi"
    "fYm2PavIDvu9YKAd93rYUBX+zaBny3+20b8N1qwjoEfF/vdVo35HtXGPcTqCofi9/ZU3/+"
    "/DogfeRQ7mN+qb407NtmituTRkXUN+rZWRb0pSnNXSHfxYA+cuXNwnhD5W6uCDVE0nu1yY"
    "PHCTUsjp5dMxWH+1e1UjMsG/F92TN8w4ebqgbCEfkGoru3alnNsqqakhcghWaiwvD79/lp"
    "b1E4MmEpWnzc1uR/xOX+k4UlX+bORzByNlzpW8niZ5EF4wAHOHxoQvihl9nt/wHehrSp"
)
