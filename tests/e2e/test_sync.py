"""``manage.py sync`` by itself."""

from pathlib import Path

import pytest

from tests.support.processes import SECRET, manage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_status_counts_and_retry_asks_for_whom(tmp_path: Path) -> None:
    settings = {
        "DATABASE_URL": f"sqlite://{tmp_path / 'arcana.db'}",
        "JWT_SECRET": SECRET,
        "SYNC_TARGETS": "crm=grpc://127.0.0.1:1",
    }
    assert manage(tmp_path, "migrate", "up", **settings).returncode == 0
    new = ("user", "create", "--email", "ada@example.com", "--name", "Ada", "--password-stdin")
    made = manage(tmp_path, *new, stdin="correct horse battery", **settings)
    assert made.returncode == 0, made.stderr
    status = manage(tmp_path, "sync", "status", **settings)
    assert status.stdout.split() == ["synced", "0", "pending", "1", "failed", "0"]
    bare = manage(tmp_path, "sync", "retry", **settings)
    assert (bare.returncode, bare.stderr) == (1, "Error: Say --user ID or --all-failed.\n")
    nobody = manage(tmp_path, "sync", "retry", "--user", "nobody", **settings)
    assert (nobody.returncode, nobody.stderr) == (1, "Error: User not found.\n")
    retried = manage(tmp_path, "sync", "retry", "--all-failed", **settings)
    assert retried.stdout == "0 users to be pushed again.\n"
