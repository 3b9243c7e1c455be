"""Synthetic personal data: values with right check digits, in the spellings people use.

Made apart from the finders, with no pattern in common, so that one can measure the other. The
values are random; one that belongs to somebody does so by chance.
"""

import random
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address

Made = tuple[str, str]
"""A value and the word that must stand beside it, or "" where it speaks for itself."""

_NAMES = [
    "anna",
    "ben",
    "chen",
    "dora",
    "emil",
    "farah",
    "goran",
    "hana",
    "ivan",
    "julia",
    "kofi",
    "lena",
    "mateo",
    "nadia",
    "otto",
]
_FAMILIES = [
    "smith",
    "müller",
    "garcía",
    "wang",
    "o'brien",
    "novak",
    "jansen",
    "rossi",
    "silva",
    "kowalski",
    "haas",
    "li",
]
_HOSTS = "mail.example-firm.com uni-heidelberg.de gmail.com 163.com post.co.uk xn--bcher-kva.de"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _digits(draw: random.Random, count: int) -> str:
    return "".join(draw.choice("0123456789") for _ in range(count))


def _split(number: str, sizes: tuple[int, ...], joint: str) -> str:
    pieces, at = [], 0
    for size in sizes:
        pieces.append(number[at : at + size])
        at += size
    assert at == len(number), (number, sizes)
    return joint.join(pieces)


def email(draw: random.Random) -> Made:
    name, family = draw.choice(_NAMES), draw.choice(_FAMILIES)
    host = draw.choice(_HOSTS.split())
    local = draw.choice(
        [
            f"{name}.{family}",
            f"{name[0]}{family}",
            f"{name}_{family}{draw.randrange(100)}",
            f"{family}-{name}+news",
            f"{name}{draw.randrange(1950, 2010)}",
        ]
    )
    value = f"{local}@{host}"
    if "xn--" not in host:
        value = draw.choice([value, value, value.upper(), value.title()])
    return value, ""


def phone(draw: random.Random) -> Made:
    """Formats of six plans; national runs of digits come with a word such as "call"."""
    n = partial(_digits, draw)
    d = str(draw.randrange(2, 9))
    mobile = f"1{draw.choice('3456789')}{n(1)}"
    area, exchange = f"{d}{draw.randrange(0, 9)}{draw.choice('2345678')}", f"{d}{n(2)}"
    forms: list[tuple[str, str]] = [
        (f"{mobile}{n(8)}", ""),
        (f"{mobile} {n(4)} {n(4)}", ""),
        (f"+86 {mobile}-{n(4)}-{n(4)}", ""),
        (f"010-{d}{n(7)}", ""),
        (f"0755-{d}{n(3)} {n(4)}", ""),
        (f"({area}) {exchange}-{n(4)}", ""),
        (f"{area}-{exchange}-{n(4)}", ""),
        (f"{area}.{exchange}.{n(4)}", ""),
        (f"+1 {area} {exchange} {n(4)}", ""),
        (f"+1{area}{exchange}{n(4)}", ""),
        (f"1-800-{exchange}-{n(4)}", ""),
        (f"{area} {exchange} {n(4)}", "phone"),
        (f"{area}{exchange}{n(4)}", "phone"),
        (f"020 7{n(3)} {n(4)}", ""),
        (f"07{d}{n(2)} {n(6)}", ""),
        (f"07{d}{n(8)}", ""),
        (f"+44 (0)20 7{n(3)} {n(4)}", ""),
        (f"+44 7{d}{n(2)} {n(3)} {n(3)}", ""),
        (f"(01632) 96{n(4)}", ""),
        (f"030 {d}{n(3)} {n(3)}", ""),
        (f"030/{d}{n(6)}", ""),
        (f"(089) {d}{n(2)} {n(2)} {n(2)}", "phone"),
        (f"017{d} {d}{n(6)}", ""),
        (f"017{d}{n(7)}", ""),
        (f"+49 (0)40 {d}{n(6)}", ""),
        (f"0049 17{d} {n(7)}", ""),
        (f"+49-30-{d}{n(6)}", ""),
        (f"01 {n(2)} {n(2)} {n(2)} {n(2)}", ""),
        (f"06.{n(2)}.{n(2)}.{n(2)}.{n(2)}", ""),
        (f"06{n(8)}", ""),
        (f"+33 6 {n(2)} {n(2)} {n(2)} {n(2)}", ""),
        (f"+31 6 {d}{n(7)}", ""),
        (f"+91 9{n(4)} {n(5)}", ""),
        (f"+420 {d}{n(2)} {n(3)} {n(3)}", ""),
    ]
    return draw.choice([*forms, *_worded_phones(draw)])


def _worded_phones(draw: random.Random) -> list[Made]:
    """Formats of other plans, extensions, and other signs than ASCII's."""
    n = partial(_digits, draw)
    d, extension = str(draw.randrange(2, 9)), draw.randrange(10, 9999)
    return [
        (f"{d}{n(2)}-{n(4)}", "phone"),
        (f"({d}{n(2)}) {n(3)}-{n(4)}", "phone"),
        (f"9{n(4)} {n(5)}", "phone"),
        (f"8 (495) {n(3)}-{n(2)}-{n(2)}", "phone"),
        (f"22 {n(3)} {n(2)} {n(2)}", "phone"),
        (f"91{n(1)} {n(2)} {n(2)} {n(2)}", "phone"),
        (f"(11) 9{n(4)}-{n(4)}", "phone"),
        (f"1300 {n(3)} {n(3)}", "phone"),
        (f"400-{n(3)}-{n(4)}", "phone"),
        (f"09 {n(3)} {n(4)}", "phone"),
        (f"{d}{n(7)}", "phone"),
        (f"０{d}１２－{d}{n(6)}", "phone"),
        (f"06221 {n(2)}-{n(4)}", "phone"),
        (f"({d}12) 555-{n(4)} ext. {extension}", ""),
        (f"{d}12-555-{n(4)} x{extension}", ""),
        (f"+1 {d}12 555 {n(4)} extension {extension}", ""),
        (f"0755-{d}{n(7)}转{extension}", ""),
        (f"+34\u202f6{n(2)}\u202f{n(2)}\u202f{n(2)}\u202f{n(2)}", ""),
    ]


def ip(draw: random.Random) -> Made:
    """Routed addresses, version 4 three times of four."""
    while True:
        if draw.random() < 0.75:
            value = ".".join(str(draw.randrange(1, 256)) for _ in range(4))
        else:
            groups = [draw.choice(("2a00", "2600", "2a02", "2409"))]
            groups += [f"{draw.randrange(65536):x}" for _ in range(7)]
            cut = draw.choice((8, 4, 3))
            value = ":".join(groups) if cut == 8 else ":".join(groups[:cut]) + "::" + groups[7]
            value = draw.choice((value, value.upper()))
        address = ip_address(value)
        if address.is_global and not address.is_multicast:
            return value, "" if max(address.packed) > 30 else "address"


def card(draw: random.Random) -> Made:
    prefix, length, sizes = draw.choice(
        [
            ("4", 16, (4, 4, 4, 4)),
            ("4", 19, (4, 4, 4, 4, 3)),
            ("4", 13, (13,)),
            (f"5{draw.randrange(1, 6)}", 16, (4, 4, 4, 4)),
            (str(draw.randrange(2221, 2721)), 16, (4, 4, 4, 4)),
            (draw.choice(("34", "37")), 15, (4, 6, 5)),
            ("36", 14, (4, 6, 4)),
            ("6011", 16, (4, 4, 4, 4)),
            ("62", 16, (4, 4, 4, 4)),
            ("62", 19, (4, 4, 4, 4, 3)),
            (str(draw.randrange(3528, 3590)), 16, (4, 4, 4, 4)),
            (draw.choice(("2131", "1800")), 15, (4, 6, 5)),
            (draw.choice(("34", "37")), 15, (4, 4, 4, 3)),
            (draw.choice(("3095", "38", "305")), 14, (4, 4, 4, 2)),
            ("36", 19, (4, 4, 4, 4, 3)),
            (str(draw.randrange(8100, 8172)), 16, (4, 4, 4, 4)),
            ("62", 19, (6, 13)),
            (draw.choice(("6759", "5018")), 12, (4, 4, 4)),
            (draw.choice(("6761", "5020")), 13, (4, 4, 5)),
            (draw.choice(("6304", "5893")), 18, (4, 4, 4, 4, 2)),
            (draw.choice(("56", "57", "67")), 16, (4, 4, 4, 4)),
            ("9792", 16, (4, 4, 4, 4)),
            ("65", 16, (4, 4, 4, 4)),
        ]
    )
    body = prefix + _digits(draw, length - 1 - len(prefix))
    total = 0
    for place, digit in enumerate(body[::-1]):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value // 10 + value % 10
    number = body + str(-total % 10)
    joint = draw.choice((" ", "-", "", "\u00a0", "\u2011", "\u2009"))
    bare = (length == 12 and not joint) or prefix in ("56", "57", "67")
    return _split(number, sizes, joint), draw.choice(("card number", "Maestro")) if bare else ""


def iban(draw: random.Random) -> Made:
    n = partial(_digits, draw)
    bank = "".join(draw.choice(_LETTERS) for _ in range(4))
    country, account = draw.choice(
        [
            ("DE", n(18)),
            ("GB", bank + n(14)),
            ("FR", n(20) + draw.choice(_LETTERS) + n(2)),
            ("NL", bank + n(10)),
            ("NO", n(11)),
            ("ES", n(20)),
            ("MT", bank + n(5) + n(15) + bank[:3]),
            ("CH", n(17)),
            ("PL", n(24)),
            ("AT", n(16)),
            ("SA", n(20)),
        ]
    )
    rest = 0
    for letter in account + country + "00":
        code = letter if letter.isdigit() else str(ord(letter) - ord("A") + 10)
        rest = (rest * 10 ** len(code) + int(code)) % 97
    value = f"{country}{98 - rest:02d}{account}"
    joint = draw.choice(("", " ", " ", "\u00a0", "-", "  ", "\u202f"))
    value = value.lower() if draw.random() < 0.25 else value
    spaced = joint.join(value[i : i + 4] for i in range(0, len(value), 4))
    return draw.choice((spaced, spaced, f"{value[:2].upper()} {value[2:4]} {value[4:]}")), ""


def _china(draw: random.Random) -> Made:
    born = f"{draw.randrange(1930, 2015)}{draw.randrange(1, 13):02d}{draw.randrange(1, 29):02d}"
    body = draw.choice(("110105", "310115", "440305", "510107")) + born + _digits(draw, 3)
    total = sum(int(digit) * pow(2, 17 - i, 11) for i, digit in enumerate(body))
    number = body + "10X98765432"[total % 11]
    return draw.choice((number, _split(number, (6, 8, 4), " "), number.lower())), ""


def _germany(draw: random.Random) -> Made:
    ten = draw.sample("0123456789", 9)
    ten.insert(draw.randrange(1, 10), draw.choice(ten))
    if ten[0] == "0":
        ten.reverse()
    if ten[0] == "0":
        return _germany(draw)
    product = 10
    for digit in ten:
        rest = (int(digit) + product) % 10
        product = (rest if rest else 10) * 2 % 11
    number = "".join(ten) + str((11 - product) % 10)
    return draw.choice((number, _split(number, (2, 3, 3, 3), " "))), ""


def _spain(draw: random.Random) -> Made:
    letters, number = "TRWAGMYFPDXBNJZSQVHLCKE", draw.randrange(10**7)
    if draw.random() < 0.4:
        first = draw.randrange(3)
        check = letters[(first * 10**7 + number) % 23]
        return (
            f"{'XYZ'[first]}{draw.choice(('', '-'))}{number:07d}{draw.choice(('', '-'))}{check}",
            "",
        )
    number += draw.randrange(1, 10) * 10**7
    dotted = f"{number:,}".replace(",", ".")
    joint = draw.choice(("", "-"))
    return f"{draw.choice((str(number), dotted))}{joint}{letters[number % 23]}", ""


def _netherlands(draw: random.Random) -> Made:
    while True:
        body = _digits(draw, 8)
        check = sum((9 - i) * int(digit) for i, digit in enumerate(body)) % 11
        if check < 10 and int(body):
            number = f"{body}{check}"
            form = draw.choice((number, _split(number, (3, 3, 3), " ")))
            return form, draw.choice(("BSN", "burgerservicenummer"))


def _america(draw: random.Random) -> Made:
    area = draw.choice([*range(1, 666), *range(667, 900)])
    group, serial = draw.randrange(1, 100), draw.randrange(1, 10000)
    joint = draw.choice(("-", "-", " ", ""))
    return f"{area:03d}{joint}{group:02d}{joint}{serial:04d}", draw.choice(
        ("SSN", "social security number")
    )


def _france(draw: random.Random) -> Made:
    department = draw.choice(("75", "13", "2A", "2B", "69"))
    body = f"{draw.choice('12')}{_digits(draw, 2)}{draw.randrange(1, 13):02d}{department}"
    body += _digits(draw, 6)
    number = int(body.replace("2A", "19").replace("2B", "18"))
    whole = f"{body}{97 - number % 97:02d}"
    spaced = _split(whole, (1, 2, 2, 2, 3, 3, 2), " ")
    return draw.choice((whole, spaced, f"{body} {whole[13:]}")), ""


def _britain(draw: random.Random) -> Made:
    while True:
        body = _digits(draw, 9)
        check = -sum((10 - i) * int(digit) for i, digit in enumerate(body)) % 11
        if check < 10:
            number = f"{body}{check}"
            return draw.choice((number, _split(number, (3, 3, 4), " "))), "NHS number"


def _brazil(draw: random.Random) -> Made:
    number = _digits(draw, 9)
    for _ in range(2):
        total = sum((i + 2) * int(digit) for i, digit in enumerate(number[::-1]))
        number += "0" if total % 11 < 2 else str(11 - total % 11)
    if draw.random() < 0.3:
        return number, "CPF"
    return f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}", ""


_NATIONS = (_china, _germany, _spain, _netherlands, _america, _france, _britain, _brazil)


def national_id(draw: random.Random) -> Made:
    return draw.choice(_NATIONS)(draw)


IDENTITIES: dict[str, Callable[[random.Random], Made]] = {
    "card": card,
    "email": email,
    "iban": iban,
    "ip": ip,
    "national_id": national_id,
    "phone": phone,
}
"""Makers of one value, by kind."""
