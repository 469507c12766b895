"""Settings that stand in files, as orchestrators mount secrets."""

from pathlib import Path

import pytest

from config.settings import Purpose, Settings, SettingsError, load

SECRET = "a secret of the tests, long enough"
CANARY = "canary"


@pytest.fixture(autouse=True)
def _no_setting_of_the_caller_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return path


def refused(monkeypatch: pytest.MonkeyPatch, **values: str) -> list[str]:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load(Purpose.SERVE)
    assert CANARY not in str(caught.value)
    return caught.value.faults


def test_every_setting_can_stand_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret: Path
) -> None:
    monkeypatch.setenv("JWT_SECRET_FILE", str(secret))
    for name, value in {
        "DATABASE_URL": "postgres://ada:pass%20word@db/arcana",
        "REDIS_URL": "redis://:secret@redis/0",
        "ADMIN_EMAIL": "ada@example.com",
        "ADMIN_PASSWORD": " spaces stay ",
        "WORKERS": "3",
    }.items():
        (tmp_path / name).write_text(f"{value}\r\n")
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    settings = load(Purpose.SERVE)
    assert settings.jwt_secret.get_secret_value() == SECRET
    assert settings.database_url == "postgres://ada:pass%20word@db/arcana"
    assert settings.redis_url == "redis://:secret@redis/0"
    assert settings.admin_password is not None
    assert settings.admin_password.get_secret_value() == " spaces stay "
    assert settings.workers == 3


def test_dotenv_may_name_files_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret: Path
) -> None:
    (tmp_path / ".env").write_text(f"JWT_SECRET_FILE={secret}\nHTTP_PORT_FILE=\n")
    assert load(Purpose.TOOL, tmp_path).jwt_secret.get_secret_value() == SECRET
    assert not (tmp_path / "var").exists()


def test_a_setting_and_its_file_are_refused_together(
    monkeypatch: pytest.MonkeyPatch, secret: Path
) -> None:
    faults = refused(monkeypatch, JWT_SECRET=f"{CANARY}{SECRET}", JWT_SECRET_FILE=str(secret))
    assert faults == ["JWT_SECRET_FILE: stands beside JWT_SECRET: set one of the two"]


def test_a_blank_setting_beside_its_file_counts_as_unset(
    monkeypatch: pytest.MonkeyPatch, secret: Path
) -> None:
    monkeypatch.setenv("JWT_SECRET", " ")
    monkeypatch.setenv("JWT_SECRET_FILE", str(secret))
    assert load(Purpose.SERVE).jwt_secret.get_secret_value() == SECRET


def test_files_that_are_of_no_use_are_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret: Path
) -> None:
    (tmp_path / "blank").write_text(" \n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    faults = refused(
        monkeypatch,
        JWT_SECRET_FILE=f"/no/such/{CANARY}",
        DATABASE_URL_FILE=str(tmp_path),
        REDIS_URL_FILE=str(tmp_path / "blank"),
        ADMIN_EMAIL_FILE="/dev/zero",
        ADMIN_PASSWORD_FILE=str(tmp_path / "binary"),
    )
    whole = "that file must hold the value and nothing else, up to 65536 bytes"
    assert faults == [
        f"ADMIN_EMAIL_FILE: {whole}",
        "ADMIN_PASSWORD_FILE: that file must hold text in UTF-8",
        "DATABASE_URL_FILE: that file can't be read (Is a directory)",
        "JWT_SECRET_FILE: that file can't be read (No such file or directory)",
        f"REDIS_URL_FILE: {whole}",
    ]


def test_what_stands_in_a_file_is_checked_like_any_value(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret: Path
) -> None:
    (tmp_path / "url").write_text(f"{CANARY}://nowhere")
    faults = refused(
        monkeypatch, JWT_SECRET_FILE=str(secret), DATABASE_URL_FILE=str(tmp_path / "url")
    )
    assert faults[0].startswith("DATABASE_URL: must be sqlite://PATH")


def test_files_of_no_setting_of_ours_are_nothing_to_us(
    monkeypatch: pytest.MonkeyPatch, secret: Path
) -> None:
    monkeypatch.setenv("JWT_SECRET_FILE", str(secret))
    monkeypatch.setenv("MYSQL_PASSWORD_FILE", f"/no/such/{CANARY}")
    assert load(Purpose.SERVE).workers == 1
