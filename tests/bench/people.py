"""People made up for measurements: the same for the same number, in many scripts.

    python -m tests.bench.people 1000000 people.ndjson

One in ``RARE_EVERY`` bears the surname ``RARE``, at places spread over the file; about one in
fifty is called Anna, which is what is searched for as a common part.
"""

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RARE, RARE_EVERY = "Quixotzyk", 100_000
COMMON = "anna"

_words = str.split

GIVEN = _words(
    "Ada Anna Åse Björn Chloé Dmitri Élodie Fatima Giovanni Hana Ingrid José Kwame Lucía Mohammed"
    " Nadia Olu Priya Quentin Renée Søren Tomás Ursula Viktor Wanjiru Xiomara Yusuf Zoë Иван Ольга"
    " Алексей Ελένη Γιώργος 李 王芳 健太 美咲 민준 서연 أحمد فاطمة राहुल सीता שרה ნინო"
)
FAMILY = _words(
    "Lovelace Ångström Müller Straße García Núñez Okafor Kowalski O'Neil Nguyễn Șerban Yılmaz"
    " Petrov Ёлкин Иванова Παπαδόπουλος Tanaka 松田 佐藤 김 이 李丽华 هدایت حدیث शर्मा כהן ბერიძე"
    " van-der-Berg McDonald Sørensen Dvořák Hernández Johansson Kovács Lefèvre Martins Novák"
)
LATIN = _words(
    "ada anna bjorn chloe dmitri elodie fatima giovanni hana ingrid jose kwame lucia nadia olu"
    " priya quentin renee soren tomas ursula viktor wanjiru xiomara yusuf zoe ivan olga"
    " kenta misaki"
)
DOMAINS = ("example.com", "mail.example.org", "corp.example.net", "uni.example.edu", "post.example")


def people(count: int, seed: int = 20261123) -> Iterator[dict[str, Any]]:
    """So many people, as lines of an import."""
    dice = random.Random(seed)
    for number in range(count):
        given, family = dice.choice(GIVEN), dice.choice(FAMILY)
        if number % RARE_EVERY == RARE_EVERY // 2:
            family = RARE
        local = f"{dice.choice(LATIN)}.{dice.choice(LATIN)}{number}"
        person: dict[str, Any] = {
            "name": f"{given} {family}",
            "email": f"{local}@{dice.choice(DOMAINS)}",
            "status": "inactive" if number % 20 == 7 else "active",
            "email_verified": number % 3 > 0,
            "external_id": f"crm-{number}",
        }
        if number % 10 == 0:
            person["profile"] = {"phone": f"+49{1_000_000_000 + number}"}
        yield person


def write(count: int, file: Path) -> None:
    with file.open("w", encoding="utf-8") as lines:
        for person in people(count):
            lines.write(json.dumps(person, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    write(int(sys.argv[1]), Path(sys.argv[2]))
