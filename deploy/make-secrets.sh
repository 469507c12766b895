#!/bin/sh
# Makes what compose.yaml needs and git must never see: deploy/secrets/ and deploy/.env.
# usage: deploy/make-secrets.sh [mysql|postgres] [ADMIN_EMAIL]
# What is there already stays, so that a second run changes no password.
set -eu
cd "$(dirname "$0")"
kind=${1:-mysql}
email=${2:-admin@example.com}
case $kind in
mysql | postgres) ;;
*) echo "usage: $0 [mysql|postgres] [ADMIN_EMAIL]" >&2 && exit 2 ;;
esac

random() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

# Only the owner gets into the folder. The files in it are readable, for compose mounts them as they
# are, and the users inside the containers are others.
mkdir -p secrets
chmod 700 secrets
keep() {
    [ -s "secrets/$1" ] || printf '%s\n' "$2" >"secrets/$1"
    chmod 444 "secrets/$1"
}

keep db_password "$(random 24)"
keep db_root_password "$(random 24)"
keep redis_password "$(random 24)"
keep jwt_secret "$(random 48)"
keep admin_password "$(random 12)"
keep grafana_password "$(random 12)"
keep redis_conf "requirepass $(cat secrets/redis_password)
maxmemory 128mb
maxmemory-policy volatile-lru"
keep redis_url "redis://:$(cat secrets/redis_password)@redis:6379/0"
keep database_url_mysql "mysql://arcana:$(cat secrets/db_password)@mysql:3306/arcana"
keep database_url_postgres "postgres://arcana:$(cat secrets/db_password)@postgres:5432/arcana"
# Compose wants every file that it names. These two are empty until somebody needs them, and then
# deploy/.env says so: SMTP_URL_FILE, JWT_SECRET_PREVIOUS_FILE.
keep jwt_secret_previous ""
keep smtp_url ""

[ -e .env ] || cat >.env <<ENV
# Made by make-secrets.sh. COMPOSE_PROFILES: mysql or postgres, and any of mail, monitoring.
COMPOSE_PROFILES=$kind
DATABASE=$kind
ADMIN_EMAIL=$email
ENV
# What is told is what the file says: it may be older than this run's arguments.
held() { sed -n "s/^$1=//p" .env | tail -n 1; }
[ "$(held DATABASE)" = "$kind" ] || [ $# -lt 1 ] ||
    echo "deploy/.env is older and stays: its DATABASE is $(held DATABASE), not $kind"
[ "$(held ADMIN_EMAIL)" = "$email" ] || [ $# -lt 2 ] ||
    echo "deploy/.env is older and stays: its ADMIN_EMAIL is $(held ADMIN_EMAIL), not $email"
echo "deploy/secrets and deploy/.env are there; the first admin is $(held ADMIN_EMAIL), with the password in"
echo "deploy/secrets/admin_password. Start: docker compose -f deploy/compose.yaml up -d"
