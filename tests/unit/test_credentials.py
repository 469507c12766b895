"""The form of the secrets that people hand to programs."""

import re
from uuid import UUID

import pytest

from service.api_keys.service import FORM as API_KEY
from service.clients.service import FORM as CLIENT_SECRET
from service.core.credentials import CredentialForm, _checksum
from service.core.ids import new_id

FORM = CredentialForm("arc_")


def test_what_was_minted_is_read_again() -> None:
    for credential_id in (new_id(), UUID(int=0), UUID(int=(1 << 128) - 1)):
        minted = FORM.mint(credential_id)
        presented = FORM.read(minted.text)
        assert presented is not None
        assert (presented.id, presented.hash) == (credential_id, minted.hash)


def test_it_is_letters_and_digits_behind_a_prefix_and_begins_with_its_hint() -> None:
    minted = FORM.mint(new_id())
    assert re.fullmatch(r"arc_[0-9A-Za-z]{71}", minted.text)
    assert minted.text.startswith(minted.hint)
    assert len(minted.hint) <= 32
    assert len(minted.hash) == 64


def test_two_of_one_id_share_the_hint_and_nothing_else() -> None:
    credential_id = new_id()
    texts = {FORM.mint(credential_id).text for _ in range(100)}
    assert len({text[26:69] for text in texts}) == 100
    assert len({text[:26] for text in texts}) == 1


@pytest.mark.parametrize("at", range(75))
def test_one_wrong_letter_anywhere_is_noticed_without_asking(at: int) -> None:
    text = FORM.mint(new_id()).text
    for letter in "0aZ_":
        changed = text[:at] + letter + text[at + 1 :]
        assert changed == text or FORM.read(changed) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: "arc_",
        lambda text: text[:-1],
        lambda text: text + "0",
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text.upper(),
        lambda text: text.replace(text[10], "\N{ARABIC-INDIC DIGIT ONE}"),
    ],
)
def test_what_is_of_another_form_is_nothing(change: object) -> None:
    assert FORM.read(change(FORM.mint(new_id()).text)) is None  # type: ignore[operator]


def test_an_id_beyond_128_bits_is_nothing() -> None:
    body = "arc_" + "z" * 22 + "0" * 43
    assert FORM.read(body + _checksum(body)) is None


def test_the_kinds_do_not_take_each_other_s() -> None:
    key, secret = API_KEY.mint(new_id()).text, CLIENT_SECRET.mint(new_id()).text
    assert API_KEY.claims(key)
    assert not API_KEY.claims(secret)
    assert API_KEY.read(secret) is None
    assert CLIENT_SECRET.read(key) is None


def test_neither_the_secret_nor_its_hash_is_shown_by_accident() -> None:
    minted = FORM.mint(new_id())
    presented = FORM.read(minted.text)
    for shown in (repr(minted), repr(presented)):
        assert minted.text not in shown
        assert minted.hash not in shown
