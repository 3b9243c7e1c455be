"""Letters: the text of every part that holds some, however the parts are written down."""

import base64
import io

import pytest

from hornbook.read.documents import Document, Rejection
from hornbook.read.formats.mail import read_eml, read_mbox
from hornbook.read.sources import read_here

HEAD = b"Subject: s\nMIME-Version: 1.0\n"
PLAIN = b"Content-Type: text/plain; charset=utf-8\n"


def one(data):
    (item,) = read_eml(io.BytesIO(data), "a.eml")
    return item


def text(data):
    item = one(data)
    assert isinstance(item, Document), item
    return item.text


def many(kind, *parts):
    """A message of parts, each with its headers."""
    body = b"".join(b"--b\n" + part + b"\n" for part in parts)
    return HEAD + b"Content-Type: multipart/" + kind + b"; boundary=b\n\n" + body + b"--b--\n"


def part(kind, body, more=b""):
    return b"Content-Type: " + kind + b"\n" + more + b"\n" + body


PICTURE = part(b"image/png; name=a.png", b"iVBORw0KGgo=", b"Content-Transfer-Encoding: base64\n")
CODED = base64.b64encode("Grüße, und noch mehr Text.\n".encode() * 4)


def test_a_blank_plain_part_gives_way_to_html():
    html = part(b"text/html", b"<p>All of it</p>")
    for blank in (b"", b" \n\n", b"\xc2\xa0\n"):
        assert text(many(b"alternative", part(b"text/plain", blank), html)) == "All of it"
    hint = part(b"text/plain", b"Your program shows no HTML.")
    long = part(b"text/html", b"<p>" + b"A long story of many words. " * 20 + b"</p>")
    assert text(many(b"alternative", hint, long)).startswith("A long story")
    full = part(b"text/plain", b"Short but whole.")
    assert text(many(b"alternative", full, html)) == "Short but whole."


def test_all_parts_around_pictures():
    first, second = part(b"text/plain", b"First half."), part(b"text/plain", b"Second half.")
    page = part(b"text/html", b"<p>Third part.</p>")
    item = one(many(b"mixed", first, PICTURE, second, page))
    assert item.text == "First half.\n\nSecond half.\n\nThird part."
    assert item.metadata["parts_left_out"] == ["a.png"]
    assert text(many(b"related", page, PICTURE, second)) == "Third part.\n\nSecond half."


def test_forwarded_messages_and_attached_texts():
    inner = b"Subject: =?utf-8?q?Inn=C3=A9r?=\n\nThe inner letter."
    forwarded = part(b"message/rfc822", inner, b"Content-Disposition: attachment\n")
    table = part(b"text/csv; name=t.csv", b"a,b\n1,2", b"Content-Disposition: attachment\n")
    notes = part(
        b"application/octet-stream",
        b"Notes.",
        b"Content-Disposition: attachment; filename*=utf-8''n%C3%B6tes.txt\n",
    )
    event = part(b"text/calendar", b"BEGIN:VCALENDAR")
    item = one(many(b"mixed", part(b"text/plain", b"See below."), forwarded, table, notes, event))
    assert item.text == "See below.\n\nInnér\n\nThe inner letter.\n\na,b\n1,2\n\nNotes."
    assert item.metadata["parts_left_out"] == ["text/calendar"]
    digest = many(b"digest", b"\nSubject: One\n\nText one.", b"\nSubject: Two\n\nText two.")
    assert text(digest) == "One\n\nText one.\n\nTwo\n\nText two."


@pytest.mark.parametrize(
    "coding",
    [b"base64 ", b"BASE64;", b"base64 (a comment)", b'"base64"', b" Base64\n ", b"base64; x"],
)
def test_the_name_of_a_transfer_encoding_in_any_dress(coding):
    data = HEAD + PLAIN + b"Content-Transfer-Encoding:" + coding + b"\n\n" + CODED + b"\n"
    assert text(data).count("Grüße, und noch mehr Text.\n") == 4


def test_transfer_encodings_that_are_wrong_or_broken():
    coded = HEAD + PLAIN + b"Content-Transfer-Encoding: base64\n\n"
    footer = text(coded + CODED + b"\n\n-- \nA list of people\n")
    assert footer.startswith("Grüße") and footer.endswith("A list of people")
    assert text(coded + b"This is no base64. Really.\n") == "This is no base64. Really."
    twice = base64.b64encode(b"one ") + b"\n" + base64.b64encode(b"two!!") + b"\n"
    assert text(coded + twice) == "one two!!"
    assert text(coded + CODED[:-3]).startswith("Grüße")
    quoted = HEAD + PLAIN + b"Content-Transfer-Encoding: Quoted-Printable ;\n\n"
    assert text(quoted + b"Gr=C3=BC=C3=9Fe so=\nft=") == "Grüße soft"
    assert text(HEAD + PLAIN + b"Content-Transfer-Encoding: 7bit\n\nGr\xc3\xbc\xc3\x9fe") == "Grüße"
    assert text(HEAD + b"Content-Type: multipart/mixed\n\nNo borders.") == "No borders."


def test_charsets_that_are_wrong_or_oddly_written():
    kinds = (b"us-ascii", b'"ISO-8859-1"', b"unknown-8bit", b"nonsense", b"latin1; x=y")
    for kind in kinds:
        data = HEAD + b"Content-Type: text/plain; charset=" + kind + b"\n\n"
        assert text(data + b"Gr\xfc\xdfe \x93x\x94") == "Grüße “x”"
    odd = HEAD + b"Content-Type: text/plain; charset*=us-ascii'en'iso-8859-1\n\nGr\xfc\xdfe"
    assert text(odd) == "Grüße"
    assert text(HEAD + b"Content-Type: text/plain; charset=utf-7\n\nGr+APwA3w-e") == "Grüße"


def test_headers_in_any_charset():
    subject = b"=?gb2312?B?1uzpRrv5?= =?shift_jis?Q?=87=40?= x =?utf-8?B?5pel5pys6A==?="
    data = b"Subject: " + subject + b"\n =?utf-8?B?qp4=?=\nFrom: J\xc3\xbcrgen <a@b>\n\nx"
    assert one(data).metadata == {"subject": "朱镕基① x 日本語", "from": "Jürgen <a@b>"}
    spaced = b"Subject: =?unknown-8bit?Q?Gr=FC=DFe?= =?iso-8859-1*de?q?_=E4_?= =?utf-8?Q?a b_c?="
    assert one(spaced + b"\n\nx").metadata == {"subject": "Grüße ä a b c"}


def test_lines_that_flow_and_lines_that_end_otherwise():
    flowed = HEAD + b"Content-Type: text/plain; format=flowed\n\n"
    assert text(flowed + b"A long \nline.\n\n> quoted \n> text\n-- \nme\n") == (
        "A long line.\n\n> quoted text\n-- \nme\n"
    )
    deleted = HEAD + b"Content-Type: text/plain; format=flowed; delsp=yes\n\nto \nday  \nend"
    assert text(deleted) == "today end"
    for ending in (b"\r\n", b"\r"):
        assert text((HEAD + b"\nOne\nTwo\n").replace(b"\n", ending)) == "One\nTwo\n"
    assert text(b"\n\n" + HEAD + b"\nOne") == "One"


def test_files_written_as_letters():
    item = one(HEAD + b"\nBefore\nbegin 644 a.txt\n#86)C\n`\nend\nAfter\n")
    assert item.text == "Before\nAfter\n" and item.metadata["parts_left_out"] == ["a.txt"]
    assert text(HEAD + b"\nbegin 644 forever\nand no end") == "begin 644 forever\nand no end"


def test_signed_and_sealed_letters():
    plain = part(b"text/plain", b"Signed words.")
    signature = part(b"application/pkcs7-signature; name=smime.p7s", b"xx")
    assert text(many(b"signed", plain, signature)) == "Signed words."
    sealed = [
        HEAD + b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n\nMIAG",
        many(b"encrypted", part(b"application/pgp-encrypted", b"Version: 1")),
    ]
    for data in sealed:
        item = one(data)
        assert isinstance(item, Rejection) and item.reason == "encrypted mail"
    tnef = one(HEAD + b"Content-Type: application/ms-tnef; name=winmail.dat\n\nxx")
    assert (tnef.reason, tnef.detail) == ("mail without text", "only winmail.dat")


def test_messages_in_messages_without_end():
    data = b"Subject: x\nContent-Type: message/rfc822\n\n" * 300 + b"Subject: y\n\nDeep."
    assert isinstance(one(data), Document | Rejection)


def test_lines_of_a_box_that_begin_with_from():
    letter = (
        b"From a@b Mon May  6 07:08:09 2024\nSubject: x\n\nOne.\n>From here.\n>>From there.\n\n"
    )
    texts = [item.text for item in read_mbox(io.BytesIO(letter * 2), "a.mbox")]
    assert [t.strip() for t in texts] == ["One.\nFrom here.\n>From there."] * 2


def test_a_box_whose_lines_between_messages_have_no_date():
    letter = b"From a\nSubject: x\n\nOne.\n\nFrom here on.\n\n"
    texts = [item.text for item in read_mbox(io.BytesIO(letter * 2), "a.mbox")]
    assert [t.strip() for t in texts] == ["One.\n\nFrom here on."] * 2


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ("One.\n--\nTwo.\n", ["One.", "Two."]),
        ("--\n\nOne.\n--\n\nTwo.\n----\nThree.\n", ["One.", "Two.", "Three."]),
        ("Ein Gru\u00df.\n", ["Ein Gru\u00df."]),
    ],
)
def test_an_empty_border_loses_nothing(body, texts):
    data = f'Subject: x\nContent-Type: multipart/mixed; boundary=""\n\n{body}'.encode()
    found = one(data).text
    assert [line for line in found.split("\n") if line] == texts


def test_messages_that_are_coded_or_attached_under_their_name():
    inner = b"Subject: inner\n\nWords inside."
    coded = part(b"message/rfc822", base64.b64encode(inner), b"Content-Transfer-Encoding: base64\n")
    named = part(b"application/octet-stream; name=a.EML", inner)
    table = part(b"application/vnd.ms-excel; name=t.csv", b"a,b\n1,2")
    web = part(b"application/octet-stream; name=p.html", b"<p>A page</p>")
    for attached, expected in (
        (coded, "inner\n\nWords inside."),
        (named, "inner\n\nWords inside."),
        (table, "a,b\n1,2"),
        (web, "A page"),
    ):
        assert text(many(b"mixed", part(b"text/plain", b"See."), attached)) == f"See.\n\n{expected}"


def ber(tag, value, later=False):
    """A value of ASN.1; later: of a length that two zero bytes tell."""
    if later:
        return bytes((tag, 0x80)) + value + b"\0\0"
    size = len(value).to_bytes(2, "big")
    return bytes((tag, 0x82)) + size + value


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("pieces", [1, 3])
def test_an_envelope_that_is_only_signed(later, pieces):
    inner = b"Content-Type: text/plain; charset=utf-8\n\nSigned gr\xc3\xbc\xc3\x9fe."
    step = -(-len(inner) // pieces)
    parts = [ber(0x04, inner[i : i + step]) for i in range(0, len(inner), step)]
    octets = parts[0] if pieces == 1 else ber(0x24, b"".join(parts), later)
    name = bytes.fromhex("06092a864886f70d0107")
    content = ber(0x30, name + b"\x01" + ber(0xA0, octets, later), later)
    signed = ber(0x30, b"\x02\x01\x01" + ber(0x31, b"") + content, later)
    data = ber(0x30, name + b"\x02" + ber(0xA0, signed, later), later)
    head = HEAD + b"Content-Type: application/pkcs7-mime; name=smime.p7m\n"
    head += b"Content-Transfer-Encoding: base64\n\n"
    assert text(head + base64.b64encode(data)) == "Signed grüße."
    for end in range(0, len(data), 7):
        assert isinstance(one(head + base64.b64encode(data[:end])), Document | Rejection)


def test_long_letters_take_no_longer_a_line():
    lines = base64.b64encode(b"x" * 57) + b"\n"
    coded = HEAD + PLAIN + b"Content-Transfer-Encoding: base64\n\n" + lines * 20_000
    assert len(text(coded)) == 57 * 20_000
    flowed = HEAD + b"Content-Type: text/plain; format=flowed\n\n" + b"word \n" * 50_000
    assert len(text(flowed)) == 250_000


def test_a_folder_of_mail(tmp_path):
    folder = tmp_path / "Maildir" / "cur"
    folder.mkdir(parents=True)
    (folder / "1714986000.M5P6.host:2,S").write_bytes(b"Subject: =?utf-8?q?=C3=BC?=\n\nGr\xfc\xdfe")
    (folder / "notes").write_bytes(b"Note: no letter.")
    found = {item.text: item.metadata for f in folder.iterdir() for item in read_here(f)}
    assert found == {"Grüße": {"subject": "ü"}, "Note: no letter.": {}}
