#!/bin/sh
# Does what the usual images do with the same variables: makes the user and the database, and serves.
set -eu

if [ -n "${MYSQL_DATABASE:-}" ]; then
    password=$(cat "$MYSQL_PASSWORD_FILE")
    mkdir -p /run/mysqld
    chown -R mysql: /run/mysqld /var/lib/mysql
    [ -d /var/lib/mysql/mysql ] || mariadb-install-db --user=mysql --skip-test-db >/dev/null
    cat >/run/mysqld/init.sql <<SQL
CREATE DATABASE IF NOT EXISTS $MYSQL_DATABASE CHARACTER SET utf8mb4;
CREATE USER IF NOT EXISTS '$MYSQL_USER'@'%' IDENTIFIED BY '$password';
GRANT ALL ON $MYSQL_DATABASE.* TO '$MYSQL_USER'@'%';
SQL
    chown mysql: /run/mysqld/init.sql
    exec mariadbd --user=mysql --bind-address=0.0.0.0 --init-file=/run/mysqld/init.sql "$@"
fi
if [ -n "${POSTGRES_DB:-}" ]; then
    bin=$(echo /usr/lib/postgresql/*/bin)
    data=${PGDATA:-/var/lib/postgresql/data}
    mkdir -p "$data" /run/postgresql
    chown -R postgres: "$data" /run/postgresql
    chmod 700 "$data"
    as() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }
    if [ ! -e "$data/PG_VERSION" ]; then
        as "$bin/initdb" -D "$data" -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" -E UTF8 --locale=C.UTF-8 -A scram-sha-256 >/dev/null
        echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
        as "$bin/pg_ctl" -D "$data" -w -o "-c listen_addresses=''" start >/dev/null
        PGPASSWORD=$(cat "$POSTGRES_PASSWORD_FILE") createdb -h /run/postgresql -U "$POSTGRES_USER" -O "$POSTGRES_USER" "$POSTGRES_DB"
        as "$bin/pg_ctl" -D "$data" -w stop >/dev/null
    fi
    exec setpriv --reuid postgres --regid postgres --init-groups "$bin/postgres" -D "$data" -c "listen_addresses=*" "$@"
fi
exec "$@"
