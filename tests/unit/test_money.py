"""Money: what is an amount, and how each currency writes it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.errors import Invalid
from service.core.money import MINOR_DIGITS, Amount, Currency, decimals, fits, printed
from service.core.parsing import Command, parse


class Price(Command):
    amount: Amount
    currency: Currency = "EUR"


def read(text: object) -> Decimal:
    return parse(Price, {"amount": text}).amount


def refusal_of(text: str) -> str | None:
    try:
        read(text)
    except Invalid as refusal:
        return refusal.fields["amount"][0]
    return None


@pytest.mark.parametrize(
    ("currency", "digits"),
    [("EUR", 2), ("USD", 2), ("JPY", 0), ("KWD", 3), ("BHD", 3), ("CLF", 4), ("UYW", 4)],
)
def test_each_currency_has_its_own_decimals(currency: str, digits: int) -> None:
    assert MINOR_DIGITS[currency] == digits


def test_the_table_is_of_currencies_in_force() -> None:
    assert len(MINOR_DIGITS) == 165
    assert not {"ANG", "BGN", "HRK", "ZWL", "XAU", "XDR", "XTS", "XXX"} & MINOR_DIGITS.keys()


@given(st.integers(0, 10**19 - 1), st.sampled_from(sorted(MINOR_DIGITS)))
def test_what_is_printed_is_read_as_the_same_amount(units: int, currency: str) -> None:
    amount = Decimal(units).scaleb(-4).quantize(Decimal(1).scaleb(-MINOR_DIGITS[currency]))
    if fits(amount):
        assert read(printed(amount, currency)) == amount
        assert decimals(read(printed(amount, currency))) == MINOR_DIGITS[currency]


@given(st.text())
def test_any_text_is_an_amount_in_ascii_or_is_refused_and_not_repeated(text: str) -> None:
    said = refusal_of(text)
    assert text.isascii() if said is None else len(text) < 3 or text not in said


@pytest.mark.parametrize("number", [1, 1.5, True, None, [], Decimal("1.5")])
def test_a_number_that_is_no_text_is_refused(number: object) -> None:
    with pytest.raises(Invalid):
        read(number)


def test_amounts_that_are_equal_are_kept_as_the_same_command() -> None:
    written = [parse(Price, {"amount": text}) for text in ("100", "100.0", "100.00")]
    assert {command.model_dump_json() for command in written} == {
        '{"amount":"100","currency":"EUR"}'
    }


def test_what_a_column_holds_has_fifteen_digits_before_the_point() -> None:
    assert fits(Decimal("999999999999999.9999"))
    assert not fits(Decimal(10) ** 15)
