"""Words that end in a full stop without ending a sentence, by language; and words that begin one.

Looks at no text: what is done with the words is `sentences`' business.
"""

from functools import cache
from typing import NamedTuple

_EVERYWHERE = """
a b c d e f g h i j k l m n o p q r s t u v w x y z
dr prof mr mrs ms st vs cf fig figs eq eqs ref refs vol vols ed eds no nos nr art arts pp par para
approx ca viz
"""
"""In all languages: letters (names, species), titles, references."""

_BEFORE = {
    "en": """
        e.g i.e eg ie sr messrs mx rev hon gen col lt capt cmdr sgt maj gov sen rep pres supt
        mt ft ave blvd rd sec secs sect ch chap chs app apps ex exh tab tabs suppl incl excl
        jan feb mar apr jun jul aug sept sep oct nov dec
        v cl cls reg regs r.s s.c u.s.c c.f.r f.supp f.2d f.3d s.ct l.ed conn fla
        stat pub.l ann del cong subd subds supra.n op loc id et aff'd rev'd cert
        fed civ crim evid proc bankr
        bros dept univ assn intl natl ltd.v plc.v sp spp subsp var cv ssp
        i.v i.m s.c i.p p.o b.i.d t.i.d q.i.d q.d esp orig trans vid
    """,
    "de": """
        z.b d.h u.a u.ä o.ä i.d.r i.v.m i.s.d i.s.v i.h.v i.ü u.u z.t s.o s.u m.w v.a v.h u.e
        m.e a.a a.a.o o.g vgl bzw sog ggf gem abs abschn satz.s nr nrn rn rdnr rz ziff lit
        buchst art artt § aufl bd bde hrsg verf anm anh anl kap beschl urt v az entsch
        begr erl amtl bgbl bt.drs drs ff.m str pl hr fr frl dipl ing med rer nat jur phil dres habil
        bspw beisp insb insbes bes evtl evt gegr geb gest ehem eigtl einschl exkl inkl etw
        jh jhs jan feb mär apr jun jul aug sept sep okt nov dez mo di mi do fr sa so tel
        zzgl abzgl rd min max mind höchst tgl wö monatl jährl chir int neurol z.n v.d dd st.p
        temp frq amb stat op postop präop re li bds i.v i.m s.c p.o tbl kps inj tr sup supp
        vorm nachm lfd allg ausschl betr bzgl dgl entspr ev gez i.a i.e m.w.n m.a.w n.chr
        v.chr u.s.w s str.nr vorl wg zit zw einschr rspr hm st.rspr komm münchkomm
    """,
    "fr": """
        p.ex c.-à-d m mm mme mmes mlle mlles me mgr ste sté av bd boul chap al alin arr
        cass civ crim soc com cons jo préc réf rép supra.n t tit v env éd fasc ibid id janv févr
        avr juil sept oct nov déc hab
    """,
    "es": """
        p.ej sr sra sres sras srta dña d dn lic ing arq avda av cap núm núms pág págs párr
        tel depto dpto ej aprox máx mín ss ene feb abr jun jul ago sept oct nov dic excmo ilmo
        rd l.o lo c.c
    """,
    "it": """
        p.es sig sigg sig.ra sigra dott dott.ssa avv ing on arch geom rag artt co cost cod civ pen
        proc lett pag pagg cap lgs d.lgs d.l d.p.r l tab tel v gen febb apr giu lug ago sett ott
        nov dic es
    """,
    "pt": """
        p.ex sr sra srs sras dra exmo exma eng av cap núm pág págs tel inc al §§ jan fev mar abr
        mai jun jul ago set out nov dez
    """,
    "nl": """
        bijv bv d.w.z m.b.t t.a.v i.v.m o.a e.d drs mw dhr ir mr.dr ing blz hfst lid jl st.crt stb
        o.g.v t.o.v z.g n.a.v m.n c.q enz.v
    """,
    "ru": """
        т.е т.к т.н т.д.и г гг ул пр д кв обл р.н им проф акад доц рис табл стр с гл ст п пп ч см
        ср напр тыс млн млрд руб коп в вв др
    """,
    "pl": """
        np m.in tj tzn tzw prof dr hab inż mgr ul al pl art ust pkt poz zob por ok r w godz min
        sp dz.u nr
    """,
    "da": "f.eks bl.a d.v.s hr fr kr stk kap jf ca mht ift pga",
    "sv": "t.ex bl.a d.v.s s.k m.fl kap st jfr ca resp",
    "no": "f.eks bl.a d.v.s hr fr kr kap jf ca mht ifm pga",
}
"""Before more of the sentence, whatever comes."""

_AT_ENDS = {
    "": "al etc ff a.m p.m",
    "en": "u.s u.k u.n e.u d.c u.s.a inc ltd co corp llc plc jr sr esq ph.d m.d b.sc m.sc b.a m.a "
    "d.phil j.d ll.m ibid b.c a.d seq n.s.w",
    "de": "usw etc o.b u.a u.ä o.ä a.f n.f a.d inc co kg mbh str chr v.chr n.chr jh u.s.w dgl f",
    "fr": "etc av.j.-c j.-c n.b inc",
    "es": "etc s.a s.l ee.uu",
    "it": "ecc s.p.a s.r.l",
    "pt": "etc s.a ltda",
    "nl": "enz e.d b.v n.v",
    "ru": "т.д т.п др г гг руб",
    "pl": "itd itp r",
}
"""Where a sentence may end as well: a word that begins one must follow."""

_STARTERS = {
    "en": """
        the a an this that these those it its he she they we our their his her i you your my in on
        at as for from to by with if when while where although though because since after before
        during however moreover furthermore therefore thus hence here there then but and or so yet
        no not all both each every some many most several such other another one two three
        between among using despite unlike given based overall finally first second third recent
        recently together taken additionally importantly interestingly conversely consequently
        patients results methods background conclusion conclusions objective objectives who what
        why how which can could should may must is are was were do does did under until unless
        plaintiff defendant section nothing any its whether neither
    """,
    "de": """
        der die das den dem des ein eine einer eines einem einen es er sie wir ich ihr dies diese
        dieser dieses diesem diesen im in am an auf aus bei beim mit nach von vom vor zu zum zur
        für durch gegen ohne um und aber oder doch denn wenn weil da dass ob als wie so auch nur
        nicht kein keine hier dort dann danach daher deshalb damit dabei hierzu somit jedoch
        allerdings insbesondere soweit sofern während nachdem bis seit über unter zwischen alle
        jede jeder jedes man wer was wo warum ist sind war waren hat haben kann können muss soll
        gemäß laut absatz satz
    """,
    "fr": """
        le la les l un une des du ce cette ces cet il elle ils elles on nous vous je en dans sur
        sous par pour avec sans mais et ou donc or car si quand lorsque comme ainsi toutefois
        cependant après avant depuis selon à au aux qui que quoi
    """,
    "es": """
        el la los las un una unos unas este esta estos estas ese esa en de del al por para con sin
        pero y o si cuando como según sin se no lo su sus que quien
    """,
    "it": "il lo la i gli le un una questo questa in nel nella di del da con per ma e o se quando "
    "come secondo si non che chi",
    "pt": "o a os as um uma este esta em no na de do da com por para mas e ou se quando como não",
    "nl": "de het een dit dat deze die in op aan bij met van voor maar en of als wanneer er hij "
    "zij wij ik niet geen",
}
"""Words that begin many sentences, and few names."""

ORDINALS = frozenset(
    [
        "de",
        "da",
        "no",
        "nb",
        "nn",
        "fi",
        "cs",
        "sk",
        "hu",
        "sl",
        "hr",
        "sr",
        "et",
        "lv",
        "is",
        "pl",
        "tr",
    ]
)
"""Languages that write the third as 3."""


class Abbreviations(NamedTuple):
    """Lower case, without the last full stop. inside: never at an end. ends: perhaps at one."""

    inside: frozenset[str]
    ends: frozenset[str]
    starters: frozenset[str]


@cache
def abbreviations(language: str) -> Abbreviations:
    """Those of a language, by its ISO code; of one without a table, those of all and English."""
    own = language if language in _BEFORE else "en"
    ends = frozenset((_AT_ENDS[""] + " " + _AT_ENDS.get(own, "")).split())
    inside = frozenset((_EVERYWHERE + _BEFORE[own]).split())
    return Abbreviations(inside - ends, ends, frozenset(_STARTERS.get(own, "").split()))
