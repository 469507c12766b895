"""A refresh token is opaque, made again only from three things, and useless as anything else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.auth.refresh_tokens import RefreshTokens
from service.core.errors import InvalidToken
from service.core.ids import new_id

TOKENS = RefreshTokens(b"a secret of at least thirty-two bytes")
SALT, OTHER_SALT = b"s" * 16, b"t" * 16
SESSION = new_id()


@given(st.uuids(), st.integers(0, 2**32 - 1))
def test_what_was_minted_is_read_back_and_fits_its_salt(session: object, counter: int) -> None:
    claim = TOKENS.read(TOKENS.mint(session, counter, SALT))  # type: ignore[arg-type]
    assert (claim.session_id, claim.counter) == (session, counter)
    assert TOKENS.fits(claim, SALT)
    assert not TOKENS.fits(claim, OTHER_SALT)


def test_the_same_session_and_counter_give_the_same_token() -> None:
    assert TOKENS.mint(SESSION, 7, SALT) == TOKENS.mint(SESSION, 7, SALT)
    assert TOKENS.mint(SESSION, 7, SALT) != TOKENS.mint(SESSION, 8, SALT)


@given(st.text(max_size=100) | st.binary(max_size=57).map(lambda b: base64.b64encode(b).decode()))
def test_no_text_of_ones_own_is_a_token(text: str) -> None:
    with pytest.raises(InvalidToken):
        TOKENS.read(text)


@given(st.integers(0, 56), st.integers(1, 255))
def test_a_token_with_one_byte_changed_is_refused(place: int, change: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(TOKENS.mint(SESSION, 1, SALT)))
    raw[place] ^= change
    with pytest.raises(InvalidToken):
        TOKENS.read(base64.urlsafe_b64encode(bytes(raw)).decode())


def test_a_token_of_another_secret_is_refused() -> None:
    other = RefreshTokens(b"another secret of thirty-two bytes or so")
    with pytest.raises(InvalidToken):
        TOKENS.read(other.mint(SESSION, 1, SALT))


@pytest.mark.parametrize("change", [lambda t: t + "=", lambda t: t + "\n", lambda t: " " + t])
def test_a_token_has_one_spelling(change: object) -> None:
    with pytest.raises(InvalidToken):
        TOKENS.read(change(TOKENS.mint(SESSION, 1, SALT)))  # type: ignore[operator]
