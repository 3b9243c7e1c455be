"""Where words begin in scripts that write no spaces between them.

A Han or Kana character is a word. In Thai, Lao, Khmer and Burmese a word here is a cluster, a
consonant with what is written around it, about a syllable, and in Tibetan what stands between two
tshegs. Words themselves would need dictionaries (ICU: 42 MB, and its words change with its
version); clusters are found by the letters alone, so that equal texts have equal words whatever is
installed.
"""

from typing import NamedTuple

import numpy as np

_FIRST, _LAST = 0xE00, 0x17FF
_ATTACHED, _BASE, _LEADING, _JOINING, _STACKING, _SILENCING, _DIGIT, _MARK = range(8)
"""What a character is: part of the cluster before it; a consonant or vowel that begins one; a vowel
written before its consonant; a sign that holds the next consonant (Khmer), and the one before as
well (Burmese); a sign that leaves its consonant to the cluster before; a digit; no part of a word.
"""
_KINDS: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = (
    (_BASE, ((0xE01, 0xE2E), (0xE81, 0xEAE), (0xEDC, 0xEDF), (0x1780, 0x17B3))),
    (_BASE, ((0x1000, 0x1021), (0x1022, 0x102A), (0x103F, 0x103F), (0x104C, 0x104F))),
    (_BASE, ((0x1050, 0x1055), (0x105A, 0x105D), (0x1061, 0x1061), (0x1065, 0x1066))),
    (_BASE, ((0x106E, 0x1070), (0x1075, 0x1081), (0x108E, 0x108E))),
    (_LEADING, ((0xE40, 0xE44), (0xEC0, 0xEC4))),
    (_JOINING, ((0x17D2, 0x17D2),)),
    (_STACKING, ((0x1039, 0x1039),)),
    (_SILENCING, ((0x103A, 0x103A), (0xE4C, 0xE4C), (0xECC, 0xECC))),
    (_DIGIT, ((0xE50, 0xE59), (0xED0, 0xED9), (0xF20, 0xF33), (0x1040, 0x1049), (0x17E0, 0x17E9))),
    (_MARK, ((0xE4F, 0xE4F), (0xE5A, 0xE5B), (0xF01, 0xF14), (0xF34, 0xF34), (0xF3A, 0xF3D))),
    (_MARK, ((0x104A, 0x104B), (0x17D4, 0x17DA))),
)
_KIND = np.zeros(_LAST - _FIRST + 1, np.uint8)
for _kind, _ranges in _KINDS:
    for _start, _stop in _ranges:
        _KIND[_start - _FIRST : _stop - _FIRST + 1] = _kind


class Cuts(NamedTuple):
    """begins: (C,) int64, where a word begins or what is no part of one. gone: (G,) int64, where
    characters of three bytes begin that are no part of any.
    """

    begins: np.ndarray
    gone: np.ndarray


def cuts(data: np.ndarray, edges: np.ndarray) -> Cuts:
    """Of (B,) uint8 of UTF-8, in which documents begin at `edges`."""
    high = np.flatnonzero(data >= 0xE0)
    high = high[data[high] <= 0xEF]
    first, second, third = (data[high + i] for i in range(3))
    single = ((first >= 0xE4) & (first <= 0xE9)) | ((first == 0xE3) & (second >= 0x81))
    # U+3000 to U+303F, and the full-width forms up to U+FF20.
    wide = (first == 0xE3) & (second == 0x80)
    wide |= (first == 0xEF) & (second == 0xBC) & (third <= 0xA0)
    south = ((first == 0xE0) & (second >= 0xB8)) | ((first == 0xE1) & (second <= 0x82))
    south |= (first == 0xE1) & ((second & 0xFE) == 0x9E)
    singles, gone = high[single], high[wide]
    begins = [singles, singles + 3]
    if south.any():
        points = np.stack([first[south] & 15, second[south] & 63, third[south] & 63]).astype(
            np.int64
        )
        kinds = _KIND[(points[0] << 12) + (points[1] << 6) + points[2] - _FIRST]
        starts, marks = _clusters(high[south], kinds, edges)
        # Khmer and Burmese are often written with blanks of no width between words.
        blanks = high[(first == 0xE2) & (second == 0x80) & (third == 0x8B)]
        blanks = blanks[np.isin(blanks - 3, high[south]) & ~np.isin(blanks, edges)]
        begins.append(starts)
        gone = np.concatenate([gone, marks, blanks])
    return Cuts(np.concatenate(begins), gone)


def _clusters(
    at: np.ndarray, kinds: np.ndarray, edges: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where clusters begin and what follows them, and marks; at: (S,) of characters of `kinds`."""
    joined = (at[1:] == at[:-1] + 3) & ~np.isin(at[1:], edges)
    before = np.append(_MARK, np.where(joined, kinds[:-1], _MARK))
    after = np.append(np.where(joined, kinds[1:], _MARK), _MARK)
    later = np.append(after[1:], _MARK)  # behind a tone that stands before the silencing sign
    silent = (after == _SILENCING) | (after == _STACKING)
    silent |= (after == _ATTACHED) & (later == _SILENCING)
    held = (before == _LEADING) | (before == _JOINING) | (before == _STACKING) | silent
    starts = (kinds == _LEADING) | ((kinds == _BASE) & ~held)
    starts |= (kinds == _DIGIT) & (before != _DIGIT)
    starts |= (kinds != _DIGIT) & (before == _DIGIT) & (kinds != _MARK)
    starts |= (before == _MARK) & (kinds != _MARK)
    ends = at[np.append(~joined, True)] + 3
    return np.concatenate([at[starts], ends]), at[kinds == _MARK]
