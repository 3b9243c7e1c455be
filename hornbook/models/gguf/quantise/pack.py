"""The bytes of blocks, as GGUF lays them out: (B, bytes) uint8 from each function.

Codes of fewer than eight bits share bytes with those 1, 4, 16, 32 or 64 places apart.
"""

from collections.abc import Sequence

import numpy as np

from hornbook.models.gguf.quantise.blocks import AffineBlocks, Blocks


def q2_k(blocks: AffineBlocks) -> np.ndarray:
    """Four bits of scale and of low a group; two of a code; the halves."""
    return _joined(blocks.scales | blocks.lows << 4, _twos(blocks.codes), blocks.scale, blocks.low)


def q4_k(blocks: AffineBlocks) -> np.ndarray:
    """The halves; six bits of scale and of low a group; four of a code."""
    return _joined(blocks.scale, blocks.low, _sixes(blocks), _fours(blocks.codes, 32))


def q5_k(blocks: AffineBlocks) -> np.ndarray:
    """As `q4_k`, with the fifth bits of codes before the others."""
    high = _shared(blocks.codes >> 4, 1, 32)
    return _joined(blocks.scale, blocks.low, _sixes(blocks), high, _fours(blocks.codes & 15, 32))


def q3_k(blocks: Blocks) -> np.ndarray:
    """The third bits of codes; the other two; six bits of scale a group; the half."""
    codes, own = _unsigned(blocks.values, 4), _unsigned(blocks.scales, 32)
    scales = _joined(_fours(own & 15, 8), _shared(own >> 4, 2, 4))
    return _joined(_shared(codes >> 2, 1, 32), _twos(codes & 3), scales, blocks.scale)


def q6_k(blocks: Blocks) -> np.ndarray:
    """Four bits of codes; the other two; eight of scale a group; the half."""
    codes = _unsigned(blocks.values, 32)
    return _joined(_fours(codes & 15, 64), _twos(codes >> 4), blocks.scales, blocks.scale)


def iq4_xs(blocks: Blocks, codes: np.ndarray) -> np.ndarray:
    """The half; two bits of scale a group; the other four; four of a code, (B, 256) `codes`."""
    own = _unsigned(blocks.scales, 32)
    scales = _joined(_shared(own >> 4, 2, 1), _fours(own & 15, 1))
    return _joined(blocks.scale, scales, _fours(codes, 16))


def fours(halves: Sequence[np.ndarray], codes: np.ndarray) -> np.ndarray:
    """Blocks of 32 with halves of their own and codes of four bits, (B, 32) uint8."""
    return _joined(*halves, _fours(codes, 16))


def fives(halves: Sequence[np.ndarray], codes: np.ndarray) -> np.ndarray:
    """Of five bits: the fifth ones of all codes, then the others."""
    return _joined(*halves, _shared(codes >> 4, 1, 1), _fours(codes & 15, 16))


def _sixes(blocks: AffineBlocks) -> np.ndarray:
    """Eight scales and eight lows of six bits in twelve bytes: the upper two bits of the last four
    of each above the first four, their lower four bits side by side.
    """
    scales, lows = blocks.scales, blocks.lows
    first = [own[:, :4] | own[:, 4:] >> 4 << 6 for own in (scales, lows)]
    return _joined(*first, scales[:, 4:] & 15 | lows[:, 4:] << 4)


def _joined(*parts: np.ndarray) -> np.ndarray:
    """Parts, (B, ...) or (B,) each, byte by byte after one another."""
    flat = [np.ascontiguousarray(part).reshape(len(part), -1).view(np.uint8) for part in parts]
    return np.concatenate(flat, axis=1)


def _unsigned(codes: np.ndarray, lowest: int) -> np.ndarray:
    """int8 codes from -lowest on, counted from zero."""
    return (codes + np.int8(lowest)).view(np.uint8)


def _twos(codes: np.ndarray) -> np.ndarray:
    return _shared(codes, 2, 32)


def _fours(codes: np.ndarray, apart: int) -> np.ndarray:
    return _shared(codes, 4, apart)


def _shared(codes: np.ndarray, bits: int, apart: int) -> np.ndarray:
    """Codes (B, n) uint8 of so many bits, those `apart` in one byte, the first lowest."""
    parts = codes.reshape(len(codes), -1, 8 // bits, apart)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)[:, None]
    found: np.ndarray = np.bitwise_or.reduce(parts << shifts, axis=2)
    return found.reshape(len(codes), -1)
