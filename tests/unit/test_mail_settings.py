"""What settings of mail are taken, and what each refusal says without the value."""

from pathlib import Path

import pytest

from config.mail import Sender, SmtpServer
from config.settings import Purpose, Settings, SettingsError, load
from service.app import Outside, Wiring, notices
from service.infra.mail import MailFolder, SmtpPost
from service.server import check_templates, open_doors

SECRET = "a secret of the tests, long enough"
WITH = {"MAIL_FROM": "no-reply@example.com", "PUBLIC_URL": "https://accounts.example.com"}


@pytest.fixture(autouse=True)
def _no_setting_of_the_caller_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def serve(monkeypatch: pytest.MonkeyPatch, **values: str) -> Settings:
    for name, value in {"JWT_SECRET": SECRET, **values}.items():
        monkeypatch.setenv(name, value)
    return load(Purpose.SERVE)


def faults(monkeypatch: pytest.MonkeyPatch, **values: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        serve(monkeypatch, **values)
    assert "canary" not in str(caught.value)
    return caught.value.faults


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example.com", SmtpServer("mail.example.com", 587, "starttls")),
        ("smtp://mail.example.com:25/", SmtpServer("mail.example.com", 25, "starttls")),
        ("smtps://mail.example.com", SmtpServer("mail.example.com", 465, "implicit")),
        ("smtps://mail.example.com?tls=on", SmtpServer("mail.example.com", 465, "implicit")),
        ("smtp://mail:25?tls=off", SmtpServer("mail", 25, "off")),
        ("smtp://127.0.0.1:1025", SmtpServer("127.0.0.1", 1025, "off")),
        ("smtp://[::1]:1025", SmtpServer("::1", 1025, "off")),
        ("smtp://localhost?tls=on", SmtpServer("localhost", 587, "starttls")),
        ("smtp://a:b@localhost:25", SmtpServer("localhost", 25, "off", "a", "b")),
        (
            "smtp://me%40example.com:p%2Fw%3A%25@mail.example.com",
            SmtpServer("mail.example.com", 587, "starttls", "me@example.com", "p/w:%"),
        ),
    ],
)
def test_a_server_is_read_from_its_url(
    monkeypatch: pytest.MonkeyPatch, url: str, server: SmtpServer
) -> None:
    settings = serve(monkeypatch, SMTP_URL=url, **WITH)
    assert settings.smtp_url == server
    assert "p/w" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("canary", "must be smtp://"),
        ("http://canary.example.com", "must be smtp://"),
        ("smtp://", "must be smtp://"),
        ("smtp://canary:99999", "must be smtp://"),
        ("smtp://canary:0", "must be smtp://"),
        ("smtp://canary.example.com/path", "must be smtp://"),
        ("smtp://canary.example.com#x", "must be smtp://"),
        ("smtp://canary@mail.example.com", "must be smtp://"),
        ("smtp://:canary@mail.example.com", "must be smtp://"),
        ("smtp://canary:a%0d%0ab@mail.example.com", "must be smtp://"),
        ("smtp://canary:%ff@mail.example.com", "must be smtp://"),
        ("smtp://can ary", "must be smtp://"),
        ("smtp://canary_!:25", "must hold an address"),
        ("smtp://canary?tls=maybe", "may end in ?tls=on or ?tls=off"),
        ("smtp://canary?tls=off&tls=on", "may end in ?tls=on or ?tls=off"),
        ("smtp://canary?starttls=off", "may end in ?tls=on or ?tls=off"),
        ("smtps://canary?tls=off", "may end in ?tls=on or ?tls=off"),
        ("smtp://canary:canary@mail.example.com?tls=off", "would send its password in the clear"),
    ],
)
def test_a_server_that_is_none_or_unsafe_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, url: str, says: str
) -> None:
    (line,) = faults(monkeypatch, SMTP_URL=url, **WITH)
    assert line.startswith(f"SMTP_URL: {says}")


def test_mail_needs_a_sender_and_somewhere_to_send_people(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = faults(monkeypatch, SMTP_URL="smtp://mail.example.com")
    assert [line.partition(":")[0] for line in lines] == ["MAIL_FROM", "PUBLIC_URL"]


@pytest.mark.parametrize(
    ("text", "sender"),
    [
        ("no-reply@Example.com", Sender("", "no-reply@example.com")),
        ("Arcana <no-reply@example.com>", Sender("Arcana", "no-reply@example.com")),
        ('"Müller, GmbH" <no-reply@example.com>', Sender("Müller, GmbH", "no-reply@example.com")),
    ],
)
def test_a_sender_may_have_a_name(
    monkeypatch: pytest.MonkeyPatch, text: str, sender: Sender
) -> None:
    assert serve(monkeypatch, MAIL_FROM=text).mail_from == sender


@pytest.mark.parametrize(
    "text",
    [
        "canary",
        "a@example.com, canary@example.com",
        "canary <jörg@example.com>",
        "canary\r\nBcc: eve@example.com <a@example.com>",
        "=?utf-8?q?canary=0D=0ABcc:_eve?= <a@example.com>",
        "canary <>",
        "<canary",
    ],
)
def test_a_sender_that_is_none_stops_the_start(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (line,) = faults(monkeypatch, MAIL_FROM=text)
    assert line.startswith("MAIL_FROM: must be an ASCII address")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://accounts.example.com/", "https://accounts.example.com"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("https://example.com/accounts", "https://example.com/accounts"),
    ],
)
def test_where_people_reach_us_ends_without_a_slash(
    monkeypatch: pytest.MonkeyPatch, text: str, url: str
) -> None:
    assert serve(monkeypatch, PUBLIC_URL=text).public_url == url


@pytest.mark.parametrize(
    "text",
    [
        "canary",
        "javascript:canary",
        "https://",
        "https://a:canary@example.com",
        "https://canary?x",
        "https://canary#x",
        "https://canary.example.com/ x",
        'https://canary.example.com/"><b>',
        "https://canary:x",
        "https://canäry",
    ],
)
def test_what_nobody_can_open_stops_the_start(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (line,) = faults(monkeypatch, PUBLIC_URL=text)
    assert line.startswith("PUBLIC_URL: must be an address")


# What comes of them


def test_serving_without_a_server_sends_no_mail_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings = serve(monkeypatch)
    caplog.set_level("INFO", "arcana.mail")
    wiring = Wiring(settings, Outside.of(settings))
    assert wiring.listeners.mail_sink is wiring.listeners.mail_sink is None
    assert caplog.messages == ["no mail is sent: SMTP_URL is not set"]
    assert wiring.listeners.inbox_sink.name == "inbox"


def test_development_writes_mails_into_a_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load(Purpose.RUN)
    assert settings.mail_folder == Path("var/mail")
    sink = Wiring(settings, Outside.of(settings)).listeners.mail_sink
    assert sink is not None
    assert isinstance(notices._post(settings, notices.NOBODY), MailFolder)


def test_a_server_goes_before_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "smtp://mail.example.com"
    settings = serve(monkeypatch, SMTP_URL=url, MAIL_FOLDER="var/mail", **WITH)
    assert isinstance(notices._post(settings, notices.NOBODY), SmtpPost)


def test_a_broken_template_stops_the_start_with_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "welcome.txt").write_text("Hello {{ name")
    settings = serve(monkeypatch, MAIL_TEMPLATES=str(tmp_path), HTTP_PORT="1")
    with pytest.raises(SettingsError, match=r"^MAIL_TEMPLATES: welcome\.txt, line 1"):
        check_templates(settings)
    with pytest.raises(SettingsError, match=r"^MAIL_TEMPLATES"), open_doors(settings):
        pass
