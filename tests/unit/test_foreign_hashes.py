"""The hashes of other systems: which are taken, which are refused and why, and what matches."""

import unicodedata
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.foreign_hashes import (
    Argon2,
    Bcrypt,
    Scrypt,
    check_foreign,
    firebase_text,
    read_foreign,
)
from service.infra.foreign_hashes import matches
from service.infra.hashing import Argon2Hasher
from tests.support.foreign_hashes import KNOWN, Known, one_of_each_form

COLUMN = 255
EACH_FORM = one_of_each_form()
QUICK = [known for known in EACH_FORM if known.form != "Firebase"]

every_known = pytest.mark.parametrize(
    "known", KNOWN, ids=[f"{known.form} by {known.made_by}" for known in KNOWN]
)
each_form = pytest.mark.parametrize("known", EACH_FORM, ids=[known.form for known in EACH_FORM])


@pytest.fixture
def hasher() -> Iterator[Argon2Hasher]:
    hasher = Argon2Hasher(memory=8, passes=1)
    yield hasher
    hasher.close()


def reason(encoded: str) -> str:
    """Why it is refused; also that the refusal keeps the hash to itself."""
    with pytest.raises(ValueError) as refusal:
        check_foreign(encoded)
    text = str(refusal.value)
    assert not any(len(part) > 7 and part in text for part in encoded.replace("$", " ").split())
    return text


# What matches


@every_known
async def test_a_password_matches_the_hash_that_another_program_made(
    hasher: Argon2Hasher, known: Known
) -> None:
    stored = check_foreign(known.encoded)
    assert await hasher.verify(stored, known.password) is True
    assert await hasher.verify(stored, known.password.swapcase()) is False


@every_known
def test_a_stored_hash_is_outdated_fits_the_column_and_reads_as_itself(
    hasher: Argon2Hasher, known: Known
) -> None:
    stored = check_foreign(known.encoded)
    assert hasher.is_outdated(stored) is True
    assert len(stored) <= COLUMN
    assert check_foreign(stored) == stored
    assert read_foreign(stored) == read_foreign(known.encoded)


@each_form
async def test_no_other_password_matches(hasher: Argon2Hasher, known: Known) -> None:
    stored = check_foreign(known.encoded)
    for other in ("", "\0", " " + known.password, known.password[1:], "\ud800"):
        assert await hasher.verify(stored, other) is False


def test_a_password_matches_however_it_is_typed_when_its_normal_form_was_hashed() -> None:
    known = next(k for k in EACH_FORM if k.form == "Django pbkdf2_sha256")
    assert known.password == unicodedata.normalize("NFC", known.password)
    assert matches(read_foreign(known.encoded), unicodedata.normalize("NFD", known.password))


def test_a_password_hashed_as_it_was_typed_matches_only_typed_so() -> None:
    apart = next(k for k in KNOWN if k.password == "cafe\u0301")
    recipe = read_foreign(apart.encoded)
    assert matches(recipe, "cafe\u0301")
    assert not matches(recipe, "caf\u00e9")


def test_bcrypt_takes_72_bytes_even_when_they_end_inside_a_letter() -> None:
    known = next(k for k in KNOWN if k.password.startswith("aéé"))
    recipe = read_foreign(known.encoded)
    assert matches(recipe, known.password + "anything")
    assert not matches(recipe, known.password[:35])


@pytest.mark.parametrize("form", ["Django bcrypt_sha256", "passlib bcrypt-sha256 2"])
def test_wrapped_bcrypt_takes_every_byte(form: str) -> None:
    known = next(k for k in KNOWN if k.form == form and len(k.password) > 72)
    assert not matches(read_foreign(known.encoded), known.password + "x")


def test_bits_that_bcrypt_does_not_use_are_cleared() -> None:
    good = next(k for k in KNOWN if k.form == "bcrypt $2b$")
    recipe = read_foreign(good.encoded)
    assert isinstance(recipe, Bcrypt)
    assert recipe.salt[-1] == "."
    for unused in "/DK":
        untidy = good.encoded[:28] + unused + good.encoded[29:]
        assert check_foreign(untidy) == good.encoded


def test_an_argon2id_of_another_system_is_not_taken_for_our_own(hasher: Argon2Hasher) -> None:
    theirs = "$argon2id$v=19$m=8,t=1,p=1$YWJjZGVmZ2hpamtsbW5vcA$" + "A" * 43
    assert hasher.is_outdated(theirs) is False
    assert check_foreign(theirs) == "argon2" + theirs
    assert hasher.is_outdated(check_foreign(theirs)) is True


# Firebase

SAMPLE = {
    "password_hash": "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198"
    "JAdRuid5lQ==",
    "salt": "42xEC+ixf3L2lw==",
}
PROJECT = {
    "signer_key": "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpj"
    "eJ9WmXA==",
    "salt_separator": "Bw==",
}


def test_the_sample_that_firebase_publishes_matches() -> None:
    text = firebase_text(**SAMPLE, **PROJECT, rounds=8, mem_cost=14)
    assert text in {known.encoded for known in KNOWN}
    assert matches(read_foreign(text), "user1password")
    assert not matches(read_foreign(text), "user2password")


def test_the_signer_key_of_a_project_is_not_stored() -> None:
    text = firebase_text(**SAMPLE, **PROJECT, rounds=8, mem_cost=14)
    stored = check_foreign(text)
    assert "signer" not in stored
    assert PROJECT["signer_key"][:20] not in stored
    assert SAMPLE["password_hash"][:20] not in stored


def test_a_firebase_hash_of_another_project_is_refused_or_matches_nothing() -> None:
    short = firebase_text(**SAMPLE, signer_key="AAAA", salt_separator="Bw==", rounds=8, mem_cost=14)
    assert reason(short) == "A Firebase hash must be as long as its project's signer key."
    key = "A" * 86
    other = firebase_text(**SAMPLE, signer_key=key, salt_separator="Bw==", rounds=8, mem_cost=4)
    assert not matches(read_foreign(other), "user1password")


# What is refused

TAG, SALT = "A" * 43, "YWJjZGVmZ2hpamtsbW5vcA"
B60 = "abcdefghijklmnopqrstuuPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8e"[:53]
ABSURD = [
    (f"$argon2id$v=19$m=262145,t=1,p=1${SALT}${TAG}", "262144 KiB"),
    (f"$argon2id$v=19$m=4294967295,t=1,p=1${SALT}${TAG}", "262144 KiB"),
    (f"$argon2id$v=19$m=7,t=1,p=1${SALT}${TAG}", "8 KiB a lane"),
    (f"$argon2id$v=19$m=64,t=1,p=9${SALT}${TAG}", "8 KiB a lane"),
    (f"$argon2id$v=19$m=262144,t=9,p=1${SALT}${TAG}", "2097152 KiB"),
    (f"argon2$argon2d$v=19$m=8,t=4294967295,p=1${SALT}${TAG}", "2097152 KiB"),
    (f"$argon2i$v=19$m=64,t=0,p=1${SALT}${TAG}", "a pass at least"),
    (f"$argon2i$v=19$m=65536,t=3,p=17${SALT}${TAG}", "1 to 16 lanes"),
    (f"$argon2i$v=19$m=65536,t=3,p=0${SALT}${TAG}", "1 to 16 lanes"),
    (f"$2b$17${B60}", "4 to 16"),
    (f"$2y$31${B60}", "4 to 16"),
    (f"$2a$03${B60}", "4 to 16"),
    (f"bcrypt$$2b$31${B60}", "4 to 16"),
    (f"bcrypt_sha256$$2b$17${B60}", "4 to 16"),
    (f"$bcrypt-sha256$v=2,t=2b,r=31${B60[:22]}${B60[22:]}", "4 to 16"),
    (f"$bcrypt-sha256$2b,31${B60[:22]}${B60[22:]}", "4 to 16"),
    (f"$scrypt$ln=19,r=8,p=1${SALT}${TAG}", "256 MiB"),
    (f"$scrypt$ln=99999999999,r=8,p=1${SALT}${TAG}", "power of two|256 MiB"),
    (f"$scrypt$ln=0,r=8,p=1${SALT}${TAG}", "power of two"),
    (f"$scrypt$ln=16,r=1,p=1${SALT}${TAG}", "2 to the power 16 × r"),
    (f"$scrypt$ln=18,r=8,p=5${SALT}${TAG}", "1024 MiB"),
    (f"$scrypt$ln=4,r=8,p=65${SALT}${TAG}", "1 to 64"),
    (f"$scrypt$ln=4,r=65,p=1${SALT}${TAG}", "1 to 64"),
    (f"$scrypt$ln=4,r=0,p=1${SALT}${TAG}", "1 to 64"),
    (f"scrypt$524288$abcdefgh$8$1${TAG}=", "256 MiB"),
    (f"scrypt$1000$abcdefgh$8$1${TAG}=", "power of two"),
    (f"scrypt:524288:8:1$abcdefgh${'0' * 64}", "256 MiB"),
    (f"pbkdf2_sha256$5000001$abcdefgh${TAG}=", "5000000 iterations"),
    (f"pbkdf2_sha256$0$abcdefgh${TAG}=", "5000000 iterations"),
    (f"$pbkdf2-sha256$99999999999999999999${SALT}${TAG}", "5000000 iterations"),
    (f"pbkdf2:sha256:5000001$abcdefgh${'0' * 64}", "5000000 iterations"),
    (f"$firebase-scrypt$ln=19,r=8,sep=Bw${SALT}${TAG}", "256 MiB"),
    (f"$firebase-scrypt$ln=14,r=65,sep=Bw${SALT}${TAG}", "1 to 64"),
]


@pytest.mark.parametrize(("encoded", "bound"), ABSURD)
def test_absurd_costs_are_refused_by_the_name_of_the_bound(encoded: str, bound: str) -> None:
    text = reason(encoded)
    assert any(one in text for one in bound.split("|")), text


@pytest.mark.parametrize(
    "encoded",
    [
        f"$argon2id$v=19$m=262144,t=8,p=16${SALT}${TAG}",
        f"$argon2id$v=19$m=8,t=1,p=1${SALT}${TAG}",
        f"$2b$16${B60}",
        f"$2b$04${B60}",
        f"$scrypt$ln=18,r=8,p=4${SALT}${TAG}",
        f"$scrypt$ln=1,r=1,p=1${SALT}${TAG}",
        f"pbkdf2_sha256$5000000$abcdefgh${TAG}=",
        f"pbkdf2_sha256$1$abcd${TAG}=",
    ],
)
def test_what_is_on_the_bound_is_taken_and_what_is_weak_too(encoded: str) -> None:
    assert check_foreign(encoded)


@pytest.mark.parametrize(
    ("encoded", "why"),
    [
        (f"$argon2id$v=19$m=64,t=1,p=1$YWJjZGVmZw${TAG}", "a salt of 8 to 64 bytes"),
        (f"$argon2id$v=19$m=64,t=1,p=1$${TAG}", "a salt of 8 to 64 bytes"),
        (f"$argon2id$v=19$m=64,t=1,p=1${SALT}$AAAA", "a hash of 16 or 24 or 32 or 48 or 64 bytes"),
        (f"$argon2id$v=19$m=64,t=1,p=1${SALT}$", "a hash of 16 or 24 or 32 or 48 or 64 bytes"),
        (
            f"$argon2id$v=19$m=64,t=1,p=1${SALT}${'A' * 88}",
            "a hash of 16 or 24 or 32 or 48 or 64 bytes",
        ),
        (f"$argon2id$v=19$m=64,t=1,p=1${'A' * 88}${TAG}", "a salt of 8 to 64 bytes"),
        (f"$scrypt$ln=4,r=8,p=1$${TAG}", "a salt of 4 to 64 bytes"),
        (f"scrypt$16$$8$1${TAG}=", "a salt of 4 to 64 bytes"),
        (f"pbkdf2_sha256$10$${TAG}=", "a salt of 4 to 64 bytes"),
        ("pbkdf2_sha256$10$abcdefgh$", "a hash of 32 bytes"),
        ("pbkdf2_sha256$10$abcdefgh$AAAAAAAA", "a hash of 32 bytes"),
        (f"pbkdf2_sha1$10$abcdefgh${TAG}=", "a hash of 20 bytes"),
        (f"$pbkdf2-sha512$10${SALT}${TAG}", "a hash of 64 bytes"),
        (f"pbkdf2:sha256:10$abcdefgh${'0' * 62}", "a hash of 32 bytes"),
        (f"pbkdf2:sha256:10$abcdefgh${'0' * 63}", "not whole bytes"),
        (f"$pbkdf2-sha256$10${SALT}${TAG[:-1]}B", "not whole bytes"),
        (f"$pbkdf2-sha256$10${SALT[:-1]}${TAG}", "not whole bytes"),
        (f"$firebase-scrypt$ln=4,r=8,sep=Bw${SALT}$", "a hash of 32 or 64 bytes"),
        (f"$firebase-scrypt$ln=4,r=8,sep=$${TAG}", "a salt of 4 to 64 bytes"),
    ],
)
def test_a_salt_or_hash_cut_off_is_refused(encoded: str, why: str) -> None:
    assert why in reason(encoded)


@pytest.mark.parametrize(
    "encoded",
    [
        "",
        "   ",
        "correct horse",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99",
        "$1$salt$qJH7.N4xYta3aEG/dfqo/0",
        "$6$rounds=5000$usesomesillystri$D4IrlXatmP7rx3P3InaxBeoomnAihCKRVQAr/36eYL",
        "{SSHA}abcdefghijklmnop",
        "\ud800",
        "ünïcode",
        "pbkdf2:sha256$saltsalt$00",
    ],
)
def test_what_is_no_known_hash_is_refused(encoded: str) -> None:
    assert reason(encoded).startswith("Not a ")


@pytest.mark.parametrize(
    "encoded",
    [
        f"$2x$12${B60}",
        f"$2$12${B60}",
        f"$2b$4${B60}",
        f"$2b$12${B60[:-1]}",
        f"$2b$12${B60}A",
        f"$2b$12${B60[:-1]}+",
        f"$argon2id$v=18$m=64,t=1,p=1${SALT}${TAG}",
        f"$argon2id$v=19$t=1,m=64,p=1${SALT}${TAG}",
        f"$argon2id$v=19$m=64,t=1,p=1,keyid=x${SALT}${TAG}",
        f"$argon2id$v=19$m=064,t=1,p=1${SALT}${TAG}",
        f"$argon2id$v=19$m=-1,t=1,p=1${SALT}${TAG}",
        f"$argon2id$v=19$m=٦٤,t=1,p=1${SALT}${TAG}",
        f"$argon2id$v=19$m=64,t=1,p=1${SALT}",
        f"$argon2id$v=19$m=64,t=1,p=1${SALT}${TAG}$",
        f"$argon2id$v=19$m=64,t=1,p=1${SALT}${TAG}=",
        f"$argon2x$v=19$m=64,t=1,p=1${SALT}${TAG}",
        f"pbkdf2_md5$10$abcdefgh${TAG}=",
        f"$pbkdf2-sha256$1e3${SALT}${TAG}",
        f"scrypt$16$abcd\0efgh$8$1${TAG}=",
    ],
)
def test_a_damaged_or_unknown_variant_is_refused(encoded: str) -> None:
    assert "damaged, or of an unknown version" in reason(encoded)


def test_djangos_mark_of_no_password_is_refused_with_advice() -> None:
    assert "leave the password hash out" in reason("!KXWSvkiHBrwpyuwIe9Hh0n2XZtFfVcTNQGTL1ZpE")


def test_a_text_of_any_length_is_refused_without_being_read() -> None:
    assert "at most 1024 characters" in reason("$2b$" + "a" * 10_000_000)


def test_spaces_around_a_hash_are_cut_off() -> None:
    assert check_foreign(f"  $2b$04${B60}\r\n") == f"$2b$04${B60}"


# Mutations


@pytest.mark.parametrize("known", QUICK, ids=[known.form for known in QUICK])
def test_with_any_one_character_changed_it_is_refused_or_matches_nothing(known: Known) -> None:
    """Unless the changed text means the same: another name of one bcrypt, bits without use."""
    good = read_foreign(check_foreign(known.encoded))
    for place, character in enumerate(known.encoded):
        changed = known.encoded[:place] + ("A" if character != "A" else "B")
        try:
            recipe = read_foreign(changed + known.encoded[place + 1 :])
        except ValueError:
            continue
        if replace(recipe, stored=good.stored) != good:
            assert not matches(recipe, known.password), (place, changed)


@pytest.mark.parametrize("known", QUICK, ids=[known.form for known in QUICK])
def test_cut_off_anywhere_it_is_refused_unless_a_usual_length_is_left(known: Known) -> None:
    for length in range(len(known.encoded.rstrip("="))):
        try:
            recipe = read_foreign(known.encoded[:length])
        except ValueError:
            continue
        assert isinstance(recipe, Argon2 | Scrypt)
        assert len(recipe.digest) in (16, 24, 32)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_is_taken_can_be_compared(data: st.DataObject) -> None:
    """A hash taken at the import never fails at the log-in, and is stored as what it is."""
    known = data.draw(st.sampled_from(QUICK))
    place = data.draw(st.integers(0, len(known.encoded)))
    size = data.draw(st.integers(0, 3))
    put = data.draw(st.text("$=,:.+/-_0Aaz\n é", max_size=3))
    try:
        stored = check_foreign(known.encoded[:place] + put + known.encoded[place + size :])
    except ValueError:
        return
    assert len(stored) <= COLUMN
    assert check_foreign(stored) == stored
    recipe = read_foreign(stored)
    if getattr(recipe, "cost", 4) <= 6 and getattr(recipe, "rounds", 0) < 10_000:
        assert matches(recipe, "surely not") is False


async def test_a_stored_hash_of_absurd_cost_is_never_computed(hasher: Argon2Hasher) -> None:
    """However it came into the row: the bounds hold at the log-in too."""
    for encoded, _ in ABSURD:
        if not encoded.startswith("$argon2id$"):  # our own form
            assert await hasher.verify(encoded, "x") is False
