"""The outbox with those who are told, orders, webhooks, and the inbox.

Release 0.2.0 works beside it: it knows none of these tables.
"""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True

UPGRADE = {
    "sqlite": [
        """
        CREATE TABLE IF NOT EXISTS "deliveries" (
            "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
            "sink" VARCHAR(64) NOT NULL,
            "position" BIGINT NOT NULL,
            "lane" VARCHAR(36) NOT NULL,
            "state" VARCHAR(16) NOT NULL /* WAITING: waiting\nBEHIND: behind\nDEAD: dead */,
            "attempts" INT NOT NULL,
            "due_at" TIMESTAMP NOT NULL,
            "error" VARCHAR(255),
            "updated_at" TIMESTAMP NOT NULL,
            CONSTRAINT "uid_deliveries_sink_bbe6d7" UNIQUE ("sink", "position")
        )
        """,
        'CREATE INDEX IF NOT EXISTS "ix_deliveries_due" ON "deliveries" ("sink", "state", "due_at")',
        'CREATE INDEX IF NOT EXISTS "ix_deliveries_lane" ON "deliveries" ("sink", "lane", "position")',
        """
        CREATE TABLE IF NOT EXISTS "sinks" (
            "name" VARCHAR(64) NOT NULL PRIMARY KEY,
            "position" BIGINT NOT NULL,
            "failures" INT NOT NULL,
            "resting_until" TIMESTAMP,
            "error" VARCHAR(255),
            "updated_at" TIMESTAMP NOT NULL
        )
        """,
        """
        CREATE TABLE IF NOT EXISTS "events" (
            "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
            "uuid" CHAR(36) NOT NULL,
            "type" VARCHAR(64) NOT NULL,
            "subject" VARCHAR(128) NOT NULL,
            "user_id" CHAR(36),
            "at" TIMESTAMP NOT NULL,
            "data" TEXT NOT NULL,
            "position" BIGINT
        )
        """,
        'CREATE INDEX IF NOT EXISTS "ix_events_position" ON "events" ("position")',
        'CREATE INDEX IF NOT EXISTS "ix_events_at" ON "events" ("at")',
        """
        CREATE TABLE IF NOT EXISTS "webhooks" (
            "id" CHAR(36) NOT NULL PRIMARY KEY,
            "url" VARCHAR(2048) NOT NULL,
            "description" VARCHAR(255) NOT NULL,
            "types" VARCHAR(1024) NOT NULL,
            "status" VARCHAR(16) NOT NULL /* ENABLED: enabled\nDISABLED: disabled\nFAILING: failing */,
            "sealed" TEXT NOT NULL,
            "sealed_previous" TEXT,
            "previous_until" TIMESTAMP,
            "failing_since" TIMESTAMP,
            "version" INT NOT NULL,
            "created_at" TIMESTAMP NOT NULL,
            "updated_at" TIMESTAMP NOT NULL
        )
        """,
        """
        CREATE TABLE IF NOT EXISTS "orders" (
            "id" CHAR(36) NOT NULL PRIMARY KEY,
            "status" VARCHAR(16) NOT NULL /* PENDING: pending\nPAID: paid\nSHIPPED: shipped\nDELIVERED: delivered\nCANCELLED: cancelled */,
            "currency" VARCHAR(3) NOT NULL,
            "total" VARCHAR(40) NOT NULL,
            "version" INT NOT NULL,
            "created_at" TIMESTAMP NOT NULL,
            "updated_at" TIMESTAMP NOT NULL,
            "user_id" CHAR(36) REFERENCES "users" ("id") ON DELETE SET NULL
        )
        """,
        'CREATE INDEX IF NOT EXISTS "ix_orders_user_id" ON "orders" ("user_id", "id")',
        'CREATE INDEX IF NOT EXISTS "ix_orders_status_id" ON "orders" ("status", "id")',
        """
        CREATE TABLE IF NOT EXISTS "order_items" (
            "id" INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
            "number" SMALLINT NOT NULL,
            "sku" VARCHAR(64) NOT NULL,
            "name" VARCHAR(255) NOT NULL,
            "quantity" INT NOT NULL,
            "unit_price" VARCHAR(40) NOT NULL,
            "order_id" CHAR(36) NOT NULL REFERENCES "orders" ("id") ON DELETE CASCADE
        )
        """,
        'CREATE INDEX IF NOT EXISTS "ix_order_items_order_id" ON "order_items" ("order_id", "number")',
        """
        CREATE TABLE IF NOT EXISTS "notifications" (
            "id" CHAR(36) NOT NULL PRIMARY KEY,
            "event_id" CHAR(36) NOT NULL,
            "kind" VARCHAR(64) NOT NULL,
            "title" VARCHAR(255) NOT NULL,
            "body" VARCHAR(2000) NOT NULL,
            "read_at" TIMESTAMP,
            "created_at" TIMESTAMP NOT NULL,
            "user_id" CHAR(36) NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
            CONSTRAINT "uid_notificatio_user_id_67c014" UNIQUE ("user_id", "event_id")
        )
        """,
        'CREATE INDEX IF NOT EXISTS "ix_notifications_inbox" ON "notifications" ("user_id", "read_at", "id")',
    ],
    "postgres": [
        """
        CREATE TABLE IF NOT EXISTS "deliveries" (
            "id" BIGSERIAL NOT NULL PRIMARY KEY,
            "sink" VARCHAR(64) NOT NULL,
            "position" BIGINT NOT NULL,
            "lane" VARCHAR(36) NOT NULL,
            "state" VARCHAR(16) NOT NULL,
            "attempts" INT NOT NULL,
            "due_at" TIMESTAMPTZ NOT NULL,
            "error" VARCHAR(255),
            "updated_at" TIMESTAMPTZ NOT NULL,
            CONSTRAINT "uid_deliveries_sink_bbe6d7" UNIQUE ("sink", "position")
        )
        """,
        'CREATE INDEX IF NOT EXISTS "ix_deliveries_due" ON "deliveries" ("sink", "state", "due_at")',
        'CREATE INDEX IF NOT EXISTS "ix_deliveries_lane" ON "deliveries" ("sink", "lane", "position")',
        'COMMENT ON COLUMN "deliveries"."state" IS \'WAITING: waiting\\nBEHIND: behind\\nDEAD: dead\'',
        """
        CREATE TABLE IF NOT EXISTS "sinks" (
            "name" VARCHAR(64) NOT NULL PRIMARY KEY,
            "position" BIGINT NOT NULL,
            "failures" INT NOT NULL,
            "resting_until" TIMESTAMPTZ,
            "error" VARCHAR(255),
            "updated_at" TIMESTAMPTZ NOT NULL
        )
        """,
        """
        CREATE TABLE IF NOT EXISTS "events" (
            "id" BIGSERIAL NOT NULL PRIMARY KEY,
            "uuid" UUID NOT NULL,
            "type" VARCHAR(64) NOT NULL,
            "subject" VARCHAR(128) NOT NULL,
            "user_id" UUID,
            "at" TIMESTAMPTZ NOT NULL,
            "data" TEXT NOT NULL,
            "position" BIGINT
        )
        """,
        'CREATE INDEX IF NOT EXISTS "ix_events_position" ON "events" ("position")',
        'CREATE INDEX IF NOT EXISTS "ix_events_at" ON "events" ("at")',
        """
        CREATE TABLE IF NOT EXISTS "webhooks" (
            "id" UUID NOT NULL PRIMARY KEY,
            "url" VARCHAR(2048) NOT NULL,
            "description" VARCHAR(255) NOT NULL,
            "types" VARCHAR(1024) NOT NULL,
            "status" VARCHAR(16) NOT NULL,
            "sealed" TEXT NOT NULL,
            "sealed_previous" TEXT,
            "previous_until" TIMESTAMPTZ,
            "failing_since" TIMESTAMPTZ,
            "version" INT NOT NULL,
            "created_at" TIMESTAMPTZ NOT NULL,
            "updated_at" TIMESTAMPTZ NOT NULL
        )
        """,
        'COMMENT ON COLUMN "webhooks"."status" IS \'ENABLED: enabled\\nDISABLED: disabled\\nFAILING: failing\'',
        """
        CREATE TABLE IF NOT EXISTS "orders" (
            "id" UUID NOT NULL PRIMARY KEY,
            "status" VARCHAR(16) NOT NULL,
            "currency" VARCHAR(3) NOT NULL,
            "total" DECIMAL(19,4) NOT NULL,
            "version" INT NOT NULL,
            "created_at" TIMESTAMPTZ NOT NULL,
            "updated_at" TIMESTAMPTZ NOT NULL,
            "user_id" UUID REFERENCES "users" ("id") ON DELETE SET NULL
        )
        """,
        'CREATE INDEX IF NOT EXISTS "ix_orders_user_id" ON "orders" ("user_id", "id")',
        'CREATE INDEX IF NOT EXISTS "ix_orders_status_id" ON "orders" ("status", "id")',
        'COMMENT ON COLUMN "orders"."status" IS \'PENDING: pending\\nPAID: paid\\nSHIPPED: shipped\\nDELIVERED: delivered\\nCANCELLED: cancelled\'',
        """
        CREATE TABLE IF NOT EXISTS "order_items" (
            "id" BIGSERIAL NOT NULL PRIMARY KEY,
            "number" SMALLINT NOT NULL,
            "sku" VARCHAR(64) NOT NULL,
            "name" VARCHAR(255) NOT NULL,
            "quantity" INT NOT NULL,
            "unit_price" DECIMAL(19,4) NOT NULL,
            "order_id" UUID NOT NULL REFERENCES "orders" ("id") ON DELETE CASCADE
        )
        """,
        'CREATE INDEX IF NOT EXISTS "ix_order_items_order_id" ON "order_items" ("order_id", "number")',
        """
        CREATE TABLE IF NOT EXISTS "notifications" (
            "id" UUID NOT NULL PRIMARY KEY,
            "event_id" UUID NOT NULL,
            "kind" VARCHAR(64) NOT NULL,
            "title" VARCHAR(255) NOT NULL,
            "body" VARCHAR(2000) NOT NULL,
            "read_at" TIMESTAMPTZ,
            "created_at" TIMESTAMPTZ NOT NULL,
            "user_id" UUID NOT NULL REFERENCES "users" ("id") ON DELETE CASCADE,
            CONSTRAINT "uid_notificatio_user_id_67c014" UNIQUE ("user_id", "event_id")
        )
        """,
        'CREATE INDEX IF NOT EXISTS "ix_notifications_inbox" ON "notifications" ("user_id", "read_at", "id")',
    ],
    "mysql": [
        """
        CREATE TABLE IF NOT EXISTS `deliveries` (
            `id` BIGINT NOT NULL PRIMARY KEY AUTO_INCREMENT,
            `sink` VARCHAR(64) NOT NULL,
            `position` BIGINT NOT NULL,
            `lane` VARCHAR(36) NOT NULL,
            `state` VARCHAR(16) NOT NULL COMMENT 'WAITING: waiting\nBEHIND: behind\nDEAD: dead',
            `attempts` INT NOT NULL,
            `due_at` DATETIME(6) NOT NULL,
            `error` VARCHAR(255),
            `updated_at` DATETIME(6) NOT NULL,
            UNIQUE KEY `uid_deliveries_sink_bbe6d7` (`sink`, `position`),
            KEY `ix_deliveries_due` (`sink`, `state`, `due_at`),
            KEY `ix_deliveries_lane` (`sink`, `lane`, `position`)
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        """
        CREATE TABLE IF NOT EXISTS `sinks` (
            `name` VARCHAR(64) NOT NULL PRIMARY KEY,
            `position` BIGINT NOT NULL,
            `failures` INT NOT NULL,
            `resting_until` DATETIME(6),
            `error` VARCHAR(255),
            `updated_at` DATETIME(6) NOT NULL
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        """
        CREATE TABLE IF NOT EXISTS `events` (
            `id` BIGINT NOT NULL PRIMARY KEY AUTO_INCREMENT,
            `uuid` CHAR(36) NOT NULL,
            `type` VARCHAR(64) NOT NULL,
            `subject` VARCHAR(128) NOT NULL,
            `user_id` CHAR(36),
            `at` DATETIME(6) NOT NULL,
            `data` LONGTEXT NOT NULL,
            `position` BIGINT,
            KEY `ix_events_position` (`position`),
            KEY `ix_events_at` (`at`)
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        """
        CREATE TABLE IF NOT EXISTS `webhooks` (
            `id` CHAR(36) NOT NULL PRIMARY KEY,
            `url` VARCHAR(2048) NOT NULL,
            `description` VARCHAR(255) NOT NULL,
            `types` VARCHAR(1024) NOT NULL,
            `status` VARCHAR(16) NOT NULL COMMENT 'ENABLED: enabled\nDISABLED: disabled\nFAILING: failing',
            `sealed` LONGTEXT NOT NULL,
            `sealed_previous` LONGTEXT,
            `previous_until` DATETIME(6),
            `failing_since` DATETIME(6),
            `version` INT NOT NULL,
            `created_at` DATETIME(6) NOT NULL,
            `updated_at` DATETIME(6) NOT NULL
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        """
        CREATE TABLE IF NOT EXISTS `orders` (
            `id` CHAR(36) NOT NULL PRIMARY KEY,
            `status` VARCHAR(16) NOT NULL COMMENT 'PENDING: pending\nPAID: paid\nSHIPPED: shipped\nDELIVERED: delivered\nCANCELLED: cancelled',
            `currency` VARCHAR(3) NOT NULL,
            `total` DECIMAL(19,4) NOT NULL,
            `version` INT NOT NULL,
            `created_at` DATETIME(6) NOT NULL,
            `updated_at` DATETIME(6) NOT NULL,
            `user_id` CHAR(36),
            CONSTRAINT `fk_orders_users_411bb784` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE SET NULL,
            KEY `ix_orders_user_id` (`user_id`, `id`),
            KEY `ix_orders_status_id` (`status`, `id`)
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        """
        CREATE TABLE IF NOT EXISTS `order_items` (
            `id` BIGINT NOT NULL PRIMARY KEY AUTO_INCREMENT,
            `number` SMALLINT NOT NULL,
            `sku` VARCHAR(64) NOT NULL,
            `name` VARCHAR(255) NOT NULL,
            `quantity` INT NOT NULL,
            `unit_price` DECIMAL(19,4) NOT NULL,
            `order_id` CHAR(36) NOT NULL,
            CONSTRAINT `fk_order_it_orders_b892ad0e` FOREIGN KEY (`order_id`) REFERENCES `orders` (`id`) ON DELETE CASCADE,
            KEY `ix_order_items_order_id` (`order_id`, `number`)
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
        """
        CREATE TABLE IF NOT EXISTS `notifications` (
            `id` CHAR(36) NOT NULL PRIMARY KEY,
            `event_id` CHAR(36) NOT NULL,
            `kind` VARCHAR(64) NOT NULL,
            `title` VARCHAR(255) NOT NULL,
            `body` VARCHAR(2000) NOT NULL,
            `read_at` DATETIME(6),
            `created_at` DATETIME(6) NOT NULL,
            `user_id` CHAR(36) NOT NULL,
            UNIQUE KEY `uid_notificatio_user_id_67c014` (`user_id`, `event_id`),
            CONSTRAINT `fk_notifica_users_ca29871f` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE,
            KEY `ix_notifications_inbox` (`user_id`, `read_at`, `id`)
        ) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin
        """,
    ],
}

DOWNGRADE = {
    "sqlite": [
        'DROP TABLE IF EXISTS "deliveries"',
        'DROP TABLE IF EXISTS "webhooks"',
        'DROP TABLE IF EXISTS "order_items"',
        'DROP TABLE IF EXISTS "events"',
        'DROP TABLE IF EXISTS "orders"',
        'DROP TABLE IF EXISTS "sinks"',
        'DROP TABLE IF EXISTS "notifications"',
    ],
    "postgres": [
        'DROP TABLE IF EXISTS "deliveries"',
        'DROP TABLE IF EXISTS "webhooks"',
        'DROP TABLE IF EXISTS "order_items"',
        'DROP TABLE IF EXISTS "events"',
        'DROP TABLE IF EXISTS "orders"',
        'DROP TABLE IF EXISTS "sinks"',
        'DROP TABLE IF EXISTS "notifications"',
    ],
    "mysql": [
        "DROP TABLE IF EXISTS `deliveries`",
        "DROP TABLE IF EXISTS `webhooks`",
        "DROP TABLE IF EXISTS `order_items`",
        "DROP TABLE IF EXISTS `events`",
        "DROP TABLE IF EXISTS `orders`",
        "DROP TABLE IF EXISTS `sinks`",
        "DROP TABLE IF EXISTS `notifications`",
    ],
}


async def upgrade(db: BaseDBAsyncClient) -> str:
    return ";\n".join(UPGRADE[db.capabilities.dialect])


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ";\n".join(DOWNGRADE[db.capabilities.dialect])


MODELS_STATE = (
    "eJztXWtz2ziy/SsofZmkSuPyK49xbt0q2VYm2jh2KnYmO7vakiASknBNgRoStKKazX+/3Q"
    "DfL5O2ZEsKvyQWiQbAAxDs091o/N2ijkEF3ftiW6x1Qv5uCTrDPxLX2/BzPo+u4gVJR0qi"
    "5UAJVxUZudKhhoSLY2q5DC6ZzDUcPpfcFli0Q7B2k7hMEntM5syZcdeFm+47IqeMjDxuyV"
    "+5ILZgLqEOIzNqMkKlujvmjiuJK6kj97A90zagQS4mq6/aE/wvjw2kPWFw24EG/v0fuMyF"
    "yb7Dw/o/57eDMWeWmcCNm1iBuj6Qy7m69vVr7/y9KondHg0M2/JmIio9X8qpLcLinsfNPZ"
    "TBexMmmEMlM2OwCs+yfPiDS7rHcEE6Hgu7akYXTDamnoWD0/qfsScMHBNAy7njBtszbIft"
    "cdPdE2wx4Ob/+v2MyQwGl1c3g+vuzWDQygws9ic1IP4lAwYAJgUXElH7+4euN0JHXW1hA2"
    "cfOl9eHL1+qfCwXTlx1E2FXeuHEqSSalE1AhHk6v8M6GdT6uSDHpRPwQ4dXQ/gATxrALQ1"
    "o98HFhMTOYWfr/ZLAP6j80Vh/GpfYWzDq6pf4Ev/zqG6hVBH0Ma7VQPhlNiDgPZhDHEOik"
    "RAR6vMkyN9+OpVBaihVCHW6l4SbMNhCMeAyizW53BH8hnLxzspmYLb9EX3gj8eMsuroF+0"
    "sBiWbdzuedIYCHvxHGvLTe9T9/qm8+kzVj9z3b8sBWnnpot3DtXVZerqi9epoQsrId96Nx"
    "8I/iT/urrsphessNzNv1rYJ+pJGx98QM04bMHl4FJiJnhz84EzISnZzIRtnAmoW4xvY586"
    "vDCixu2COuYgc8c+tIvKZm/NDme531APxsnNTrZPVCxvbPxXTbce4EyFkff19PXFr1DP1n"
    "1FfwRvUXA1an9mm8wapJTi4CEdZqmXLbgdqsJj21H437JlAO5Aq3rh0Pi3UMS/JaeO7U2m"
    "oUBYG6AMnWBSf3Q712edczXXBnGQsb9q5syghxN1CR9WzbtYr3NU/OBpilX8cHJUUfFB9X"
    "bhvbcd0LCNKReMLLicEioINQzbE7nK+/1CfdEXwyGbUW4Nh4S7oK3DimISUOm5dFGtJ8J2"
    "ZtQiAP6MvBgO1Yoj2Xe5p28MfOGXUK1J9Mwjo6VkKNEX+NceGQ5dBghMdRuKG9iWCe0gaE"
    "oQXl54v10sKu1bJgZsbqvyDneBWiymMCh3zMGOQzGiyrh9MeF3DB7Qk2TEoD3gHx5QDmET"
    "yxYTKD5iRFIouke+wZNjueFwTl13YcNkmVIXWxD2yDaXBMYHpCbw6HuICTSGRCfsASCC/Y"
    "bLS/L1M65iyIiY+m1MKbSGv7GIYy/aCj011RB9/DF37DG3YGzhafsCUMCL3Rs6wUcGOJkj"
    "AExuaoiosJEiEXfpSjb7xdVAwROqFvS4voMqiEbFYvSOuRVJ1t+taKkCrZFKT81CeF2wIP"
    "s+x4FAjhfIhiTs+0DN2YEWCl4wf6lqKWGYyOqH+vDG21kKY/CwxiLJ8hYb8rg55FEtCnW4"
    "TSiwc/RxLaQmsYbVwTkjuHss8tXBYRXCfnBYzNjxXhLw57WGbBS+a5nQWj/IInwDC3w+wp"
    "HETmBcRq+6/7xJMKsAyRefOv98mWBXF1eXvwfFY8ifXVydpgEPv8XZKd0V3izDTJLgh9JP"
    "B34LVGRQ92p+CFuds5veH90ToqX7oncZXOEiuHb99fpz9/K8e35CXM+dM+iFmdanq7waB6"
    "8rvBkHaeYbvRh4KzVMSb3pQWOVrOIJBwxbZmbdAbv+8/JMjYSS7gscmd7l7ycExwXGoi/e"
    "d3oXWGIMOsOmDJRSYAagjHOoMkfhPLWBDVBRov0khFOjNALpdQ1TeOVpV7XTq6uLxKp22k"
    "svW18/nXZhGNQoQCGuuXrv8iaFfYwxZoHviYIPSEoqhTjaK9YE+P66PtMT7MGvhwfHb47f"
    "Hr0+fgtFVC/DK29KxiMLa2M5/5ntpY3lvJkJ2Zngm8VqLLMxiadbYg+2ZImNGf5qWUuSYi"
    "vh8LtoMqnh84lTUd8imdXhfMn3H7+gjyJ/Vvv2/2tdy/Yy0YzfJjFx6Zyjs+WRIHXm/CNb"
    "7ipGhsWZkAOXgTokH4nUmarrWlW1q3jZjpnrLq2D0xXWsX0WzEr4CFsCPzQUAo+E6TJW1S"
    "5Np1qe+5g5XTvnijG9EuzGhn/uRxb9vp+j6nZkGpYFOUT++ccFOQRBsVvl66kb5BA8ZDrI"
    "IYoUSQY5xCIZ0kEOsfiHxwU5RPExpVEOwawuCHaITfrymIeB/7ZVjH34NqWSUIKSRDLLcg"
    "kdoSNfTtnMZdYdc9+pOAXHXvjF2mRiB7EOPCcwYiU1NsHM2+SPpndwxxl4Ti2ndFJqBz2l"
    "+9VCm8timzPBzSNu18HYL7574B7sV0IXixW7Gfaz+M4Bp1qu6FBg9zA+rILwYTG+hxl0G5"
    "t3Y+lsbN7NTEjMhEjRrqq0xUSeVnN7ngiVezSzR4XeJ8chOwgBNf9JQ+kduggpRnza5TK/"
    "H7X2MZQywsC+ncMGY6bvYiYYt7LfTwJhfDE4W281VeTMZLiktcnYsWdkMeXGlDhsDPNu6g"
    "eHE6yCCTPL/x5TGQbM98QddTgV8gR3us5gvmu6GJfAIG7DcxwmZFvFbKtQem82Yhhej2H0"
    "npDMGQ7f+dHhzGQY2Y4x8zO6xMB1h80tusTdt1PbkdaS0DFIgKxjS//7guI6BB3D6R3VCP"
    "RSh9j7CKvoe2pBWSCxzO0LmD42YdTwe9omrh3ErRNqYRUzestcIgLK63Pj4DPyi0tu2bKN"
    "GwPUZfgRFOsLv6I90gna16x5OFRBVarPQdA6v8NNwxOqIu4x5h5mmsD7uCEAfuktAfjbYa"
    "olg1oWc6B9gD0YQN0Hi8Ig+AOAD4y/MX7cb5DDY+P7Ak8MjH7Ghad3JRgIu5A8Fnmv2lHG"
    "dqIN9xhlv6AujMjE0w/zjrgeoEfDJ5xSqF/YyRnwkGj8RH8qRMgHL9EgKdiuGpUfrBc1Wo"
    "pbnSq1AfVyqBi1oRrNxKSKW2osLJtjYcElJsd+zgV1lgUBvL5EOtRtKbVpcDt9Ermhbhh+"
    "G1d2gYCe9i47X/7Mj+ANyseH4PTPm24nTVb1RyQLe2EwRkyiiXdLB2NE39W6jC8p2TC+bW"
    "d8ya9PnZmQlHyumfBM+xS2bph9lbT2IMfkVjDEG2Zi3b0RXkyXdQzmCaHdM5ofVdked1S8"
    "O+4oszmuMZo371tjNG9mQiJAFG05dVbdUGD3Vty17Jj1zWO1II5Edg/k4yoYHxdDfJxBOG"
    "5ErLucpWUbNXGTF6uM+bSq6TAj+Agr4vaM771mwk30nW4tnBnv6X0e0fegsfCJ+MjWnV5s"
    "MyBdsVd0lZngSj2oZyprVCvHgerfaZf5T3XOqRru04XDpe8A0yGtYYqqdjxBVZCvKvDE5L"
    "tPH1pZyn3KJbrcuIAqpM46hu43eBjhUq2F+zm1dHtQXMfr2uPAa+kwrEE7FG3B+iLusFQ5"
    "tNDP58+A4ZDMbZw92HPMsAVPdBL6PkFKuySxxyixR3qmq9J/+T3rC7VFBTul++yiF1SlRj"
    "bs2Yzjb+jWYmqr/gC39V2xYwZPZ9n2rUtw7gBqFpfSYg/xEVbyo/mzY4Xus1M+KfQq5C7W"
    "OQ4F/+Xc2DAL36Hw2+Hh0dGbw/2j129fHb958+rtfuhZyN4qczGc9n5HL0NCrQncDsWetO"
    "aTuVIN5BZ6X4ckBeV3IqvQui1/9YlRY9/ZXsr0qDi+1SlOPZPN5rZkwlh+VFuhMgpUqkSp"
    "IsWjsuGO5ioZWZXpGicSdW/h6465OT2B2gHV4VEYxISaBOgyC6WcGCxSWEBVyUvY+ug6U/"
    "pVoNpgMJpSUFDLUvFYC9wDlaNPqWgu0Gdo1BeJRXWqJYLhaYZD3Slqay4ZO4z5EVzkUutT"
    "SutBbAPVTQdttaPKdcQW9kc9DkaTzaGvKiINA7XUs0L9mKEQlTf9sFF0VhSGdsfZAqAi/7"
    "i+utQNuEGaVB0VZ9q28xAdq1bMUnoCPTJ2CaqondUxLrNzCTRfH1f4ar0+Lvxq4a1yjcue"
    "IzY1T2NICO2gsrAq2OPhSuqVrz2703IN2BXA1qtmFubihJqRxC44B8p0rXXk09x2H3jjKW"
    "giw37uYd4QdnPNJwJgLmA2sbulrMbV5WowGjTr+sq/og2oyyvVH6tCwyb8pxgAEAjLUj+T"
    "pzHkW4ofV6XiM0B4LD5mJ2TujSyuuMeL4VDVMcAdO5oaIIwvdZ3YzosYmVGUyZrYDjCfme"
    "Y/etOIZK7EjSfxul5isgdbky+VkXWJ1XlCckud1BC8xcMhkhPVJUP3AJv5x7ePESPBLvUF"
    "VkSJu5zNGCBjKJ6mT8QARhXRmrnD76BDZE4d2SbAJpzlHOlajAAS+IvfITHEfUpImPrC36"
    "SiYMWNQ6CW4tkdJ34XRkufM2EpoEzcBKYG3SIzBt97LabpmBjzieeow/5UjYup7bK+4KY2"
    "0UOPb4M9MvCgzBoHjO6x6TBu6+W+u31Ezrufm+aEr0AduBNCO6h5rz4TtF4S6mjekUSjeT"
    "8gk71aSOvgHUk0eP98TKfxATxGS068eaHaVHcmJCWb4LhNHuUNorzNKO8i4/WzAOew3Sg/"
    "cDHTjWciruK3C9IV+HkeqH+a3i8qaGni0JmriShHL5wmSLpEW4kpJuQaQLNcYIA5PryV1o"
    "/890pYS7jmn1bo+8s0rW2T6w+dXw9fvQ7jpKa2pUhZ5PsLkjkoqob1cCFD1tkXIzbhQoTM"
    "XJ36uICXkNzCTEGqBxRyL9YllYwBh8lVTBX4IlBMd06BtZMXX96fkddvjn8jfW9/n7452j"
    "t6+RD3W/W0BMHgV0hL0CQL2JxkAc1pavE0gVUIaHmSwDQFnfJ6e2+C8juI7+pjnuq6Lxu3"
    "ZQ23pf7M1IE3kthBgNdylmWj0O+qQt/sXvsZR7oxyDUzodk60Oy2exJIt3a3XfwApbw9d6"
    "kDlkp23mWOdaoWXIFR1X66ULmwfTe7m7QV+esfRkFgpjbMcqmc72nLyvHe8cv8eIuVt/Iw"
    "E5RuN8cKpW8kDFE6a2jKEDVn9hzqwfh03wi1VkNSclAbc9LGrcvtEnNSY+5ozB3bae5oqP"
    "jPoJY3VPxnGemGijczoaHiDRV/Eki3lYpfMOqyVg4H1zfaZeTbwiKVYz1MTy41ncSzLOaO"
    "rfYWqNMfcRXFLcYnyETV6RnAReE3ks0g2F/9Pxy24YKFgg5MkwXLOVFkrS09IrT+ef3sP1"
    "VwvR7ZOst9JNGs9umscfg61NWgQqFmb93GaUYbEml4zjDDl5MbaxjeK/3+mLoUr/wNEpiK"
    "Qsjo2+BycauW/yVu27LxpCcJK0Ebt8HpPGa4GS7nG/OYmnK+If9uobw/wFz19z9lttSgtI"
    "tHXajeQYWVEmREmA1ApsSmmjo5KGjRov75pWE/6zQZSDdJ0LYpCVow9pWjgIK53Fgd77c6"
    "hi9SrQkel3q6w4N2ZKbHjYH1jm8OV7/dm9lHVfZeHhXvvTzK7L0MP05ZdLvCm2XMAsk1JB"
    "DeZKhb3zq9m97l7ydkQeF1FJO+OO1+6F2en8D3fwpt9cV5twO/TEbNtBLxPBtiqZRsNpc5"
    "UZ2Fa01cpDmoLL2E+JpXBs5yfhRJNdblbeRQCb+h49g5xoaSM40CgV3Y8fwEp2s0B9n8zK"
    "/ahpgrroHUfMZNg3hoS24yoNj9dnk6IHFb0WLxwV7ALZWyJrAvjBgTyrRwQqhlEW+O1obh"
    "MCAEwyEZeVKnFEXVyvTzxUQkPG+n5Jra0SdJY7pSz1H7FVWIG252tHUed4rxaO9CyzsUQi"
    "1q4FvgdbYc7BB3icXGUh+J3RjiN4zMFlsOGnL7jOQ2eO9qqPpxkUbVz5xJHF+e6qoiGeEm"
    "eGjTNI1GqW+U+kap/6mUeglDZnbRlZer08dul6r0yhlYY/uJKt++77AlzP9hUM/NOZ7gIZ"
    "Wo/J3JQ5TIfWco7SVVftDDJ6DeiyCVpcMsumyrsw/awA/6IjjKYMyREYTnHJzEGoOW9d4X"
    "dSzAyDaXKv8JMI37TofSe1MKjocC6gFaqO4jptt8yBaVGk5NPeKDuKpazZFayUvr196cGL"
    "WpWnbJiVFezUBTr4kyzY07UkjUUMCC8pvsMNoYr7Prjf6PGbU2asVEdhDig8O3VVxth2+L"
    "fW14b0MOXN0wOrGaBaE532xFmG8FQ0j4WOFjmx374pzCQfmdWKfKBnIdKYWfyWa7YUvW0y"
    "mTG0KFr5CctXJIsL7RLqO/ithVpL/flMfInjHF/Ea2N5nKPfLNPylYE0Df9ROkREDWaQsW"
    "HbmniaQr6TLnoItVN6CdWNKW1Iqde+fNghwLXLIZnrSM3i/Dcxw8ew4KvuhdX5Hjw4M3L5"
    "GbAtV1NYVG9u0G9PvrZ1xf+wKq0ofk6bOC/Y64EWv+xSXdGzp5TN6FtmJ693NPPZgVsi6k"
    "I4QllZ5btxkt1aR32CylqyQWOBzlh0b1eU+cH7A1Z8JEoOrh3PrcvTxXsX2+fF987vTO4S"
    "flZl9cf+h9/tyFn+6Uz+dMRfpd9P7ofumqcD/lBMerZ53Ls+7FBV41EBLLP+zg+SMBg7Wq"
    "DgeMy+yEcpWKga0SAlscAZtGWH0zcjgLM/iMWgVWjEAmzVq00J4vvIVQl2B73j3rfepcvD"
    "j4ra2NGKC0cr09NoD9OJNX1/+kZvEt1FFjEk/n3D5Yr4K6Mud2ky2hYduNZ7aZCY39cpWq"
    "dIbcP1fajM1E9MFZM6B9cvn14qIsbUaMJyJFz7Fn+WLvP35hVtHx4XErSA/q2V7NKwP2j7"
    "XbkxRgRTalAM177EqDcPSqxVZY3M+8KbTppK2sKMMhkNMRWn5+ldN3qpDrb8zWNpf8GIvH"
    "VFbTTuM/rJrruvqqVhSN0CBeQRMzsGlm3naJUcUf7swIXAPTswrHIJLapSDpo8M3r0Pw8U"
    "cZ3NfAGi+yXMa99epYNfziO2jQWH3gQHNa0HrDYv/yqJBc5ljlCteBuMgurQQrM23Ac8nB"
    "3OFGzswtNcYlBRuL3D0WubgCUpUvxmWaELhyxmg7uVnNalPG0KO7naDeSxrjc2qTci1+Y6"
    "Opbd+2cghRcKtdRocWulD1bFfUNJE7+KdJ6iBron3NAmO9GTWm6gBMZupDCdSZAbqVX9TZ"
    "k8ERARlytNLatYtdnwQe+NjRia/uQkXCcJZzDHH3BPrlqTrXE/7id3ANDy5WVcO8GPOJ58"
    "A1WzB/VylWDATqjtueG+4rXfg9dpl2/sc7GfRjEEhhJkhp2+jFVy+yf+ymehj48KKTT12P"
    "Hj1zGOc7MrKouCVj28HNtHukJ9UeW9xu57eLsQmUjBxGb3HLq8GCnbO4Z0xdGA7vDSQgqT"
    "gC7AHFgZpxEcYUYHxDjViCxvm+Oc53z8lxJxbr3n7xXVS994+rhOtisWLlW91MJXOJda4G"
    "0CmxJ4xtWNf8fQKmoyupgXIosHP4HuwfViHqWKzk5NnDbJT/9gXrMIHiZk3cW93LzqkKsv"
    "Hl++K8d+1fMrnrX3vf6V2okB7/w5rWap4nEEfrG9lRKo5vjiR2Ym1/6gjnlIJXH/mE6C7s"
    "937yGPOERp5jlSkNM8hKN7kUNjmMIEFj6g52RrgZ600e6yYqr9VE5TWxWE1UXjMTdjBfyq"
    "Ut+Zgb1Ic/Y8ZO3G+X2bJFrGSN4B6VCIRQMoePBsykBXX9YxYwq4jtmC6afWHlM2M5BSlO"
    "/bysh4+tUCVUEXfU4VTIEzS+2kFaFvJiOFR/qFwmL6MGQju5SpkytRcqasgeSyYwb4phz5"
    "hbfEpELBwuqL38oIiYgN9v/LPSBq3ECA24GNnf1Qg2e7SeZFl6hJk4nBo1gI/LNH7YlBZ2"
    "C72vY6kMyu+EdWbdEUWSS6teopdAYAfhXYulHTdC1wE4KL+L+O7v71dyHO3vlziO9jOhL7"
    "GPax3VPCbWmDU2TedueHgzEzZoT9SmLaw7sClqQyHd1rOEO8zhxrSVYxfw77TLLAI0KnOf"
    "KaAY0BXHM/0s+18eaa8upqKF7oBi7bPYH7ATCug6FHx8qWog7BffQXQPKmn3ByXK/UFWt4"
    "cWpZ8BOokwphkuUPoikbTGxw1J/kss7m7jzowScBGMhA6XiRNIhwSklAOs4PS586H9+H8S"
    "o09N"
)
