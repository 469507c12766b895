"""The words of notifications: ours, those of whoever runs the service, and broken ones."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from service.notifications.kinds import KINDS, ChannelName, Kind, kind_of
from service.notifications.rendering import ENDINGS, OURS, BrokenTemplate, Templates, one_line
from service.notifications.sinks import shown
from tests.support.notices import told

WELCOME = next(kind for kind in KINDS if kind.name == "welcome")
PAID = next(kind for kind in KINDS if kind.name == "order_paid")
ADA = {"name": "Ada", "email": "ada@example.com"}


def templates(folder: Path | None = None) -> Templates:
    return Templates(folder, service="Arcana", url="https://accounts.example.com")


def broken(folder: Path, name: str, text: str | bytes) -> str:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BrokenTemplate) as caught:
        templates(folder)
    return str(caught.value)


def test_each_kind_has_its_templates_and_each_template_a_kind() -> None:
    names = {k.name + end for k in KINDS for channel in k.channels for end in ENDINGS[channel]}
    shared = {"language.txt", "layout.html", "signature.txt"}
    assert {path.name for path in OURS.iterdir()} == names | shared


def test_no_kind_is_there_twice_and_each_name_fits_its_column() -> None:
    names = [kind.name for kind in KINDS]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 64


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_ours_load_nothing_from_anywhere(kind: Kind) -> None:
    order = SimpleNamespace(id="1", status="paid", currency="EUR", total="1.00", items=[])
    letter = templates().letter(kind, {**ADA, "order": order})
    for word in ("<img", "url(", "<script", "<link", "@import", "src="):
        assert word not in letter.html
    assert '<html lang="en">' in letter.html
    assert f"<title>{letter.subject}</title>" in letter.html


def test_a_file_takes_the_place_of_ours_of_its_name_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "welcome.txt").write_text("Hallo {{ name }}\n\nWillkommen bei {{ service }}.\n")
    (tmp_path / "layout.html").write_text("<i>{% block content %}{% endblock %}{{ url }}</i>")
    (tmp_path / "language.txt").write_text("de-AT\n")
    (tmp_path / "_footer.txt").write_text("kept for others to include")
    (tmp_path / ".hidden").write_text("{{")
    own, ours = templates(tmp_path), templates()
    letter = own.letter(WELCOME, ADA)
    assert (letter.subject, letter.language) == ("Hallo Ada", "de-AT")
    assert letter.text == "Willkommen bei Arcana."
    assert letter.html.startswith("<i><p>your account")
    assert own.note(WELCOME, ADA) == ours.note(WELCOME, ADA)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("welcome.txt", "Hello {{ name", "welcome.txt, line 1: "),
        ("welcome.html", "a\n{% if %}", "welcome.html, line 2: "),
        ("layout.html", "{% block %}", "layout.html, line 1: "),
        ("welcome.txt", "Hello {{ nmae }}", "welcome.txt, line 1: 'nmae' is undefined"),
        (
            "welcome.txt",
            "A\n{% if not name %}{{ nmae }}{% endif %}",
            "welcome.txt, line 2: 'nmae' is",
        ),
        ("welcome.txt", "Hello {{ order.id }}", "welcome.txt, line 1: 'order' is undefined"),
        ("order_paid.txt", "Hello {{ order.nmae }}", "order_paid.txt, line 1: "),
        ("welcome.html", "{% include 'other.html' %}", "welcome.html, line 1: other.html"),
        ("welcome.txt", "{{ 1 / 0 }}", "welcome.txt, line 1: ZeroDivisionError"),
        ("welcome.txt", "\n\n{# nothing #}", "welcome.txt: its first line must be the subject"),
        ("welcome.inbox.txt", "", "welcome.inbox.txt: its first line must be the subject"),
        ("welcome.txt", b"\xff", "welcome.txt: must be text in UTF-8"),
        ("language.txt", "en\nX: y", "language.txt: must hold a language tag"),
        ("language.txt", "", "language.txt: must hold a language tag"),
        ("wellcome.txt", "Hello", "wellcome.txt is the name of no template"),
        ("welcome.md", "Hello", "welcome.md is the name of no template"),
    ],
)
def test_a_broken_template_is_found_at_once_and_named(
    tmp_path: Path, name: str, text: str | bytes, says: str
) -> None:
    assert broken(tmp_path, name, text).startswith(says)


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ name.format.__globals__ }}",
        "{{ '{0.__class__}'.format(name) }}",
        "{% for n in range(10**9) %}x{% endfor %}",
        "{% include '../channels.py' %}",
    ],
)
def test_a_template_reaches_nothing_but_its_values(tmp_path: Path, text: str) -> None:
    assert broken(tmp_path, "welcome.txt", f"Hello\n{text}").startswith("welcome.txt, line 2: ")


def test_a_folder_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(BrokenTemplate, match="can't be read"):
        templates(tmp_path / "nowhere")


def test_html_escapes_and_text_does_not() -> None:
    order = SimpleNamespace(
        id="1",
        status="paid",
        currency="EUR",
        total="1.00",
        items=[{"sku": "1", "name": "<script>", "quantity": 1, "unit_price": "1.00"}],
    )
    letter = templates().letter(PAID, {**ADA, "name": "<b>Ada", "order": order})
    assert "&lt;script&gt;" in letter.html
    assert "<script>" not in letter.html
    assert "<b>" not in letter.html
    assert "<script>" in letter.text


def test_what_is_rendered_for_one_is_not_kept_for_the_next() -> None:
    ours = templates()
    assert "Ada" in ours.letter(WELCOME, ADA).text
    assert "Ada" not in ours.letter(WELCOME, {**ADA, "name": "Bob"}).text


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\r\nb", "a b"), ("a\u2028b\u2029c", "a b c"), ("\x00a\x1b[31m", "a[31m"), ("\ud800a", "a")],
)
def test_one_line_is_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_name_is_shown_unless_it_could_carry_a_message() -> None:
    assert shown("Zoë Müller-O'Hara") == "Zoë Müller-O'Hara"
    assert shown("a" * 101) == shown("see http://x") == shown("example.com") == ""


@pytest.mark.parametrize("facts", [{}, {"roles": "user"}, {"status": None}, {"why": 1}])
@pytest.mark.parametrize("channel", ChannelName)
def test_events_of_other_shapes_end_nothing(channel: ChannelName, facts: dict[str, Any]) -> None:
    for kind in KINDS:
        event = told(kind.event, "01a2141b-74d3-7096-a093-49b3ca50768b", **facts)
        found = kind_of(event, channel)
        assert found is None or found.event == kind.event
