"""Money: amounts as decimal text, never as floats, and what each currency is counted in."""

import re
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

_BY_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD"
        " CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP"
        " GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK"
        " LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO"
        " NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS"
        " SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST"
        " XAD XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
MINOR_DIGITS = MappingProxyType(
    {code: digits for digits, codes in _BY_DIGITS.items() for code in codes.split()}
)
"""The decimals of every currency and fund in force: ISO 4217, list one, up to amendment 180.

Metals, the SDR, bond units and test codes have none and are left out. A code that ISO withdraws
is money that rows still hold: keep its digits, and refuse it in ``_known``.
"""
WHOLE_DIGITS_MAX = 15
"""Digits before the point: what a DECIMAL(19, 4) holds."""
_PATTERN = r"(0|[1-9][0-9]{0,14})(\.[0-9]{1,4})?"
_AMOUNT = re.compile(_PATTERN)


def _known(code: str) -> str:
    if code not in MINOR_DIGITS:
        raise ValueError("Must be a currency of ISO 4217 in capital letters, such as EUR.")
    return code


def _amount(value: Any) -> Decimal:
    if not isinstance(value, str) or not _AMOUNT.fullmatch(value):
        raise ValueError('Must be a decimal number as text, such as "12.50", from 0 on.')
    return Decimal(value)


def decimals(amount: Decimal) -> int:
    """How many decimals ``amount`` was written with."""
    exponent = amount.as_tuple().exponent
    assert isinstance(exponent, int), "not a number"
    return max(0, -exponent)


def fits(amount: Decimal) -> bool:
    """Whether a column for money holds ``amount``."""
    return abs(amount) < Decimal(10) ** WHOLE_DIGITS_MAX


def printed(amount: Decimal, currency: str) -> str:
    """``amount`` with the decimals of its currency, as all answers write it."""
    return f"{amount:.{MINOR_DIGITS[currency]}f}"


Currency = Annotated[
    str,
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": sorted(MINOR_DIGITS)}),
]
"""An ISO 4217 code."""
Amount = Annotated[
    Decimal,
    BeforeValidator(_amount),
    PlainSerializer(lambda amount: f"{amount.normalize():f}", return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN}$", "examples": ["12.50"]}),
]
"""Money from 0 on, which comes as text; "1.50" and "1.5" are the same."""
