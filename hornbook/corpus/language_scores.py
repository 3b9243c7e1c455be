"""What CLD2 usually scores in each language, and when a score is too low to be believed.

CLD2 gives every text a language, its own 160 and no others. Its score, of groups of letters in a
thousand bytes, tells a text in one of them from a text in some other language, which has few of
their groups. Looks at no text.
"""

_MEDIANS = """
aa 1400; ab 1060; af 1030; ak 1160; am 420; ar 840; ay 1140; az 1350; be 810; bg 700; bh 600;
bi 1500; bn 570; bo 560; br 1220; bs 550; ca 650; ceb 1080; chr 1020; co 810; crs 1050; cs 1300;
cy 1380; da 910; de 1090; dv 1020; dz 550; el 1020; en 1210; eo 800; es 470; et 1120; eu 1150;
fa 820; fi 1280; fj 1460; fo 1140; fr 800; fy 890; ga 1190; gd 1500; gl 860; gn 1320; gu 1020;
gv 1440; ha 1170; haw 960; he 760; hi 850; hr 560; ht 1120; hu 1300; hy 1020; ia 420; id 1120;
ig 1270; is 1190; it 690; iu 1020; ja 3260; jv 760; ka 1020; kha 1320; kk 920; kl 2080; km 1020;
kn 1020; ko 3690; ky 1000; la 800; lb 940; lg 970; ln 1090; lo 1020; lt 1160; lv 1330; mfe 870;
mg 1500; mi 1240; mk 780; ml 1020; mn 1090; mr 610; ms 1070; mt 1260; my 1020; ne 570; nl 890;
nn 940; no 710; nso 1090; ny 1180; oc 520; om 1200; pa 1020; pl 1330; ps 990; pt 830; qu 800;
rm 790; rn 1080; ro 840; ru 650; rw 1280; sa 520; sco 950; sg 1860; si 1020; sk 1330; sl 650;
sm 1320; sn 1120; so 1340; sq 1450; sr 970; ss 1160; st 920; su 890; sv 780; sw 950; ta 1020;
te 1020; tg 1070; th 1020; ti 470; tk 1100; tl 930; tn 870; to 1170; tr 1150; ts 1100; tt 930;
ug 1200; uk 800; ur 1020; uz 1160; ve 1230; vi 1520; war 860; wo 1180; xh 1020; yi 1100; yo 760;
za 1890; zh 1970; zu 1040;
"""
"""Code and score: medians of correctly named sentences of 40 characters and more (half of Lingua's
test sentences) and of paragraphs of the Universal Declaration of Human Rights (half of them)."""
_USUAL = 1000
"""Of the languages without a median."""
_LEAST = ((40, 0.2), (80, 0.25), (160, 0.35))
"""Share of the median that is enough for texts below so many bytes: few letters say little."""
_LEAST_OF_LONG = 0.45

MEDIANS = {
    code: int(score) for code, score in (row.split() for row in _MEDIANS.split(";") if row.strip())
}


def believable(code: str, score: float, size: int) -> bool:
    """Whether a text of `size` bytes is in the language that it was given with this score."""
    share = next((share for below, share in _LEAST if size < below), _LEAST_OF_LONG)
    return score >= share * MEDIANS.get(code, _USUAL)
