"""Planted identities: what share of made-up personal data is found, and what is found wrongly.

Knows sentences of three languages around values that it did not find itself. Recall and precision
hold for these sentences and spellings; text of the web is more varied.
"""

import random
from collections import Counter

from hornbook.core.errors import unknown
from hornbook.core.stats import Estimate, wilson
from hornbook.corpus.pii.contract import find_all
from hornbook.corpus.pii.identities import IDENTITIES

_PLAIN = (
    "{}",
    "Please write it down: {}.",
    "In 2019 she moved to Leeds, and {} is what she left us; nobody asked why.",
    "She said “{}” and hung up.",
    "Old: 12 items, $3.50 each.\n{}\nNew: none.",
    "Bitte notieren: {}, danke!",
    "Am 3. Oktober 1990 galt noch <{}>, später nicht mehr.",
    "Größe und Preis (49,90 €) stehen unten ({}).",
    "请记下{}，谢谢。",
    "资料如下：{}。共3页",
    "他写的是「{}」；我没有看清",
)
_NAMED = (
    "Her {label} is {value}.",
    "Update my {label}: {value}, and thank you.",
    "| name | {label} | {value} |",
    "Seine {label} lautet {value}; bitte prüfen.",
    "Angaben zur Person ({label} {value}) fehlen.",
    "其{label}为{value}，请核对。",
)
_PHONED = (
    "Call {} after six.",
    "Her phone is {}, ask for Mary.",
    "Ruf mich unter {} an.",
    "Tel.: {}",
    "请致电{}联系我。",
    "手机：{}",
    "Phone: {}",
    "You can call me on {}, any time.",
    "Mobile no. {}",
    "Contact: Ms. Li (Ph. {}) or come by.",
    "Teléfono: {}",
    "тел. {}",
    "联系电话：{}",
)


def plant(kind: str, count: int, seed: int) -> list[tuple[str, str]]:
    """Sentences, each with the one value in it. Raises UsageError for an unknown kind."""
    if kind not in IDENTITIES:
        raise unknown("kind of personal data", kind, IDENTITIES)
    draw, texts = random.Random(f"{kind} {seed}"), []
    for _ in range(count):
        value, label = IDENTITIES[kind](draw)
        if label == "phone":
            text = draw.choice(_PHONED).format(value)
        elif label:
            text = draw.choice(_NAMED).format(label=label, value=value)
        else:
            text = draw.choice(_PLAIN).format(value)
        texts.append((text, value))
    return texts


def recall(seed: int, count: int) -> dict[str, Estimate]:
    """By kind: the share of `count` planted values that are found with their exact span."""
    return {kind: wilson(hits(kind, seed, count), count) for kind in IDENTITIES}


def precision(seed: int, count: int) -> dict[str, Estimate]:
    """By kind: the share of finds that are a planted value of that kind.

    Counted over `count` sentences of each kind and as many negatives.
    """
    texts = [text for kind in IDENTITIES for text, _ in plant(kind, count, seed)]
    texts += negatives(count, seed)
    finds = Counter(item.kind for text in texts for item in find_all(text))
    return {kind: wilson(hits(kind, seed, count), finds[kind]) for kind in IDENTITIES}


def hits(kind: str, seed: int, count: int) -> int:
    """How many of `count` planted values of a kind are found with their exact span."""
    found = 0
    for text, value in plant(kind, count, seed):
        start = text.index(value)
        spans = [(item.start, item.stop) for item in find_all(text) if item.kind == kind]
        found += (start, start + len(value)) in spans
    return found


NEGATIVES = (
    "The release of 2024-11-25 follows ISO 8601 and RFC 5322.",
    "It cost $1,234,567.89 in 1999, or 1.234.567,89 € today.",
    "See section 12.3.4.5 and version 1.2.3.40, not v10.22.33.44.",
    "ISBN 978-3-16-148410-0, ISBN 0-306-40615-2, ISBN 0306406152 and 9780306406157.",
    "Order 4111 1111 1111 1112 and invoice 1234567890123 were paid.",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8, md5 d41d8cd98f00b204e9800998ecf8427e",
    "Servers 127.0.0.1, 192.168.1.20, 10.0.0.7, ::1 and fe80::1 are local.",
    "Between 10:30:45 and 2024:10:30:45, std::vector<face::bad> a::b was built.",
    "Pages 123-145, 1939-1945, 1 000 000 inhabitants, 3.14159265358979 and 6.02214076e23.",
    "Am 01.02.2024 um 08:30 Uhr, Aktenzeichen 12/345-678, Rechnung 2024-000123.",
    "DOI 10.1000/182, arXiv 2301.07041, port 8080, 100 200 300 400",
    "2024年11月25日，第12345678号文件，共1,234,567元。",
    "IBAN DE89 3704 0044 0532 0130 01 and XX12 3456 7890 1234 5678 are wrong.",
    "11010519491231002Y, 110105194912310021, 12345678A and 123.456.789-00 fail.",
    "@property def f(self): return a@b; follow @jane_doe or write a@localhost",
    "Coordinates 48.858370, 2.294481 and 40.7127 -74.0059; 1234 5678",
    "uuid 550e8400-e29b-41d4-a716-446655440000 at 1700000000 or 1700000000123",
    "Temperatures 12 15 18 21 24 27 30 in a row; scores 21-19, 19-21, 21-15.",
    "Order no. 6759649826438453, order 5018000000000009 and tracking 1Z 999 AA1 01 2345 6784.",
    "Case No. 3:21-cv-01234-ABC, BGH XII ZR 123/45, (2019)京01民终1234号, C-131/12 and ECLI.",
    "key 4111111111111111f, 0x4111111111111111, a4111111111111111 and dead-4111111111111111.",
    "uuid 01234567-89ab-4cde-8f01-675964982643 and d41d8cd9-8f00-4204-a980-0998ecf8427e",
    "The phone costs 1 299 000 won; the mobile market grew from 1999-2004 to 2 500 000 users.",
    "Call it 3.14159265, call them 12 000 000 times; phone 2024-11-25, dial 10:30:45.",
    "He rang 1234567 bells; text 12345678 is the longest.",
    "Mobile phones: 1,234,567 sold in 2003, 1.234.567 in 2004. Fax machines 15 to 20 in 1990-1991.",
    "The reach of 1 000 000 people; contact 2024-01-02; message 20240102; SMS version 10.2.33.4",
    "is 26 of the people who were in no 15 of the houses at de 22 and es 91 of it all together",
    "GB29 NWBK 6016 1331 9268 18 fails and DE00 3704 0044 0532 0130 00 too, as de12 at home in it.",
    "arXiv:2301.07041v2, doi:10.1038/s41586-020-2649-2, PMID 32939066, PMC7759461, ORCID none.",
    "Latitude 52.5200066, longitude 13.404954; 52° 31' 12\" N; 40.712776,-74.005974",
    "EAN 4006381333931, GTIN 00012345600012, IMEI 490154203237518, ISSN 2049-3630.",
    "股票代码600519，邮编100080，房间号62345，身份编号2024001，价格4111元，第４章第５节。",
    "Total: 4 111.00 EUR; 4111 1111 1111; 5.018.000.000; 3782-8224-6310; 8100 8200 8300 8400",
)


def _drawn(draw: random.Random) -> str:
    """A sentence of numbers that look like personal data from afar."""
    n = draw.randrange
    hexadecimal = f"{draw.getrandbits(160):040x}"
    year, month, day = n(1900, 2030), n(1, 13), n(1, 29)
    clock = f"{n(24):02d}:{n(60):02d}:{n(60):02d}"
    version = f"{n(20)}.{n(50)}.{n(99)}.{n(9999)}"
    return draw.choice(
        [
            f"On {year}-{month:02d}-{day:02d} at {clock}, or {day:02d}/{month:02d}/{year} {clock}.",
            f"Am {day:02d}.{month:02d}.{year} und {day:02d}-{month:02d}-{year}, {clock} Uhr.",
            f"It cost ${n(10**4, 10**9):,}.{n(100):02d}, {n(10**6, 10**8):,} in all.",
            f"Upgrade to version {version} or v{n(9)}.{n(9)}.{n(9)}.{n(99)}.",
            f"sha1 {hexadecimal}, short {hexadecimal[:8]}, key {hexadecimal[:32].upper()}",
            f"The lines {n(1000)}-{n(1000, 3000)} of {n(10**5)} and {n(1000)} {n(1000)}.",
            f"第{n(10**7)}号，{year}年{month}月{day}日，共{n(10**6)}元",
            f"x = {draw.random():.16f}; y = {draw.gauss(0, 1e6):.9f}",
            f"id {n(10**7)}, width {n(10**4)}x{n(10**4)}, {n(10**5)} {n(10**4)} {n(100)}",
            f"Order {n(10**11, 10**12)}, parcel {n(10**12, 10**13)}, ref {n(10**6)}-{n(10**7)}.",
            f"Case {n(1, 9)}:{n(10, 24)}-cv-{n(1000, 99999):05d}, Az. {n(10)} O {n(999)}/{n(99)}",
            f"phone model {n(1000, 9999)}, mobile users {n(10**6, 10**8):,}, cells {n(100, 999)}",
            f"doi:10.{n(1000, 9999)}/j.{n(10**4)}.{n(10**7)}, arXiv:{n(1000, 2412)}.{n(10**5):05d}",
            f"({draw.random() * 90:.6f}, {draw.random() * 180:.6f}) ±{draw.random():.5f}",
            f"ISBN 978-{n(10)}-{n(100, 1000)}-{n(10**4, 10**5)}-{n(10)}, pp. {n(99)}–{n(100, 999)}",
        ]
    )


def negatives(count: int, seed: int) -> list[str]:
    """Texts in which no finder may find anything: the fixed ones first, then drawn ones."""
    draw = random.Random(f"negatives {seed}")
    return [*NEGATIVES, *(_drawn(draw) for _ in range(count - len(NEGATIVES)))][:count]
