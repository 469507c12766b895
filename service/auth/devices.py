"""What callers' programs call themselves, kept within bounds and put into a few plain words.

A caller may write anything there: it is for people to recognise their own by, and decides nothing.
"""

import unicodedata

from service.core.access import Actor

AGENT_MAX, ADDRESS_MAX, PRODUCT_MAX = 255, 45, 40

_BROWSERS = (
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
"""Marks of browsers. All of them call themselves Mozilla, and most name those they descend from
too, so the first mark that is there counts."""
_SYSTEMS = (
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)
"""Marks of systems; Android names Linux too."""


def agent_of(caller: Actor) -> str | None:
    """What the caller's program calls itself, as one line of text; None when it says nothing."""
    kept = "".join(c for c in caller.agent if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    return kept.strip()[:AGENT_MAX].rstrip() or None


def address_of(caller: Actor) -> str | None:
    """The caller's address, if it is one that an IP address may look like."""
    return caller.address if 0 < len(caller.address) <= ADDRESS_MAX else None


def device_of(agent: str | None) -> str | None:
    """``agent`` in a few words, such as "Firefox on Linux" or "curl"; None when it says nothing."""
    if not agent:
        return None
    program = _first(_BROWSERS, agent) if agent.startswith("Mozilla/") else None
    program = program or _product(agent)
    system = _first(_SYSTEMS, agent)
    return f"{program} on {system}" if system and system not in program else program


def _first(marks: tuple[tuple[str, str], ...], agent: str) -> str | None:
    return next((word for mark, word in marks if mark in agent), None)


def _product(agent: str) -> str:
    """The first product named (RFC 9110 §10.1.5), without its version."""
    return agent.split(maxsplit=1)[0].partition("/")[0][:PRODUCT_MAX] or "unknown"
