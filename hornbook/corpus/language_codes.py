"""Which codes of languages can be asked for, and the nearest to what was meant.

Codes are those of `corpus.language`: ISO 639-1 or, where it has none, 639-2. Looks at no text.
"""

from collections.abc import Iterable
from functools import cache

from hornbook.core.errors import UsageError, nearest

OTHER_NAMES = {"iw": "he", "zh-Hant": "zh", "jw": "jv", "mo": "ro", "sr-ME": "sr"}
"""Codes of CLD2 that ISO 639-1 writes otherwise, or without the script."""
_INVENTED = ("tlh", "zzp")
"""Klingon and Pig Latin."""
_MEANT = """
aa aar; ab abk; af afr; ak aka tw; am amh; ar ara arb; as asm; ay aym; az aze azj; ba bak;
be bel; bg bul; bh bih bho; bi bis; bn ben; bo bod tib; br bre; bs bos; ca cat val; chr chr;
co cos; cs ces cze; cy cym wel; da dan; de deu ger; dv div; dz dzo; el ell gre gr; en eng;
eo epo; es spa; et est ekk ee; eu eus baq; fa fas per pes prs; fi fin; fj fij; fo fao;
fr fra fre; fy fry; ga gle; gd gla; gl glg; gn grn; gu guj; gv glv; ha hau; he heb iw; hi hin;
hr hrv; ht hat; hu hun; hy hye arm; ia ina; id ind in; ie ile; ig ibo; ik ipk; is isl ice;
it ita; iu iku; ja jpn jp; jv jav jw; ka kat geo; kk kaz; kl kal; km khm; kn kan; ko kor kr;
ks kas; ku kur kmr ckb; ky kir; la lat; lb ltz; lg lug; ln lin; lo lao; lt lit; lv lav lvs;
mg mlg plt; mi mri mao; mk mkd mac; ml mal; mn mon khk; mr mar; ms msa may zsm; mt mlt;
my mya bur; na nau; ne nep npi; nl nld dut; nn nno; no nor nob nb; nr nbl; ny nya; oc oci;
om orm; or ori ory; pa pan; pl pol; ps pus pbt; pt por; qu que; rm roh; rn run; ro ron rum mo;
ru rus; rw kin; sa san; sd snd; sg sag; si sin; sk slk slo; sl slv; sm smo; sn sna; so som;
sq sqi alb; sr srp; ss ssw; st sot; su sun; sv swe; sw swa swh; ta tam; te tel; tg tgk; th tha;
ti tir; tk tuk; tl tgl fil; tn tsn; to ton; tr tur; ts tso; tt tat; ug uig; uk ukr; ur urd;
uz uzb uzn; ve ven; vi vie vn; vo vol; wo wol; xh xho; yi yid ydd ji; yo yor; za zha;
zh zho chi cmn cn; zu zul
"""
"""Code, then what else people and other programs write for it: ISO 639-2, 639-3, older codes, and
country codes that are no language's."""

_NAMES = {"lo": "Lao", "nn": "Norwegian Nynorsk", "rm": "Romansh", "crs": "Seychellois Creole"}
_NAMES |= {"war": "Waray", "ug": "Uyghur", "nso": "Northern Sotho"}
"""English names that CLD2 writes otherwise."""


@cache
def known() -> dict[str, str]:
    """Every code that can be found, and the language's English name, in the order of the codes."""
    import pycld2

    codes: dict[str, str] = dict(pycld2.LANGUAGES)
    found: dict[str, str] = {}
    for name in pycld2.DETECTED_LANGUAGES:
        code = OTHER_NAMES.get(codes[name], codes[name])
        if is_language(codes[name]) and name != "ChineseT":
            found[code] = _NAMES.get(code) or name.replace("_", " ").title()
    return dict(sorted(found.items()))


def is_language(code: str) -> bool:
    """Whether CLD2's code is a language's, and neither a joke's nor that of a bare script (xx-)."""
    return code not in ("un", *_INVENTED) and not code.startswith("xx-")


def require(codes: Iterable[str]) -> None:
    """Raises UsageError for a code that no text is ever given, with the nearest that one is."""
    for code in codes:
        if code in known():
            continue
        meant = _meant(code)
        hint = f"Did you mean {meant!r} ({known()[meant]})?" if meant else nearest(code, known())
        raise UsageError(f"Unknown language {code!r}. {hint}")


def _meant(code: str) -> str:
    """The code that another way of writing it stands for, or ""."""
    first = code.strip().replace("_", "-").lower().partition("-")[0]
    if first in known():
        return first
    by_name = {name.lower(): code for code, name in known().items()}
    return _others().get(first) or by_name.get(code.strip().lower(), "")


@cache
def _others() -> dict[str, str]:
    rows = (row.split() for row in _MEANT.replace("\n", ";").split(";") if row.strip())
    return {name: code for code, *names in rows for name in names}
