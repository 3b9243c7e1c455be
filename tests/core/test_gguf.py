"""Damaged GGUF files, of every type of tensor: refused with file and reason, never read over."""

import struct
from typing import NamedTuple

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hornbook.core.errors import HornbookError
from hornbook.core.gguf import GGUFFile, is_model, parts_of, value_of

KINDS = {
    kind.name: (kind.value, *gguf.GGML_QUANT_SIZES[kind]) for kind in gguf.GGMLQuantizationType
}
"""Number in a file, weights of a block and its bytes."""
ALIGNMENT = 32


class Tensor(NamedTuple):
    """As the table of a file has it: shape with rows last, offset from where data begin."""

    name: str
    kind: int
    shape: tuple[int, ...]
    offset: int


def text(said):
    return struct.pack("<Q", len(said)) + said.encode()


def value(kind, *packed):
    return struct.pack("<I", kind) + b"".join(packed)


KEYS = {
    "general.architecture": value(8, text("llama")),
    "a.number": value(4, struct.pack("<I", 7)),
    "a.list": value(9, struct.pack("<IQ", 8, 2), text("one"), text("two")),
    "numbers": value(9, struct.pack("<IQ", 5, 3), struct.pack("<3i", 1, -2, 3)),
}


def header(tensors, keys=KEYS, count=None):
    found = b"GGUF" + struct.pack("<IQQ", 3, len(tensors) if count is None else count, len(keys))
    for key, packed in keys.items():
        found += text(key) + packed
    for name, kind, shape, offset in tensors:
        axes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
        found += text(name) + axes + struct.pack("<IQ", kind, offset)
    return found + bytes(-len(found) % ALIGNMENT)


def whole(kind, rows=3):
    """A file of a matrix and a tensor of float32 behind it; what the matrix holds."""
    number, block, size = KINDS[kind]
    stored = np.random.default_rng(number).integers(256, size=2 * rows * size, dtype=np.uint8)
    behind = -(-stored.nbytes // ALIGNMENT) * ALIGNMENT
    tensors = Tensor("m.weight", number, (2 * block, rows), 0), Tensor("n", 0, (4,), behind)
    data = stored.tobytes() + bytes(behind - stored.nbytes) + np.ones(4, "<f4").tobytes()
    return header(tensors), data, stored.reshape(rows, -1)


@pytest.fixture
def put(tmp_path):
    """Writes a file; returns its path."""

    def written(content):
        path = tmp_path / "m.gguf"
        path.unlink(missing_ok=True)  # the one before may still be mapped
        path.write_bytes(content)
        return path

    return written


def refused(path, *parts):
    with pytest.raises(HornbookError) as caught:
        GGUFFile(path)
    for part in (str(path), *parts):
        assert part in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_any_type_is_read_whole_and_refused_at_any_other_length(kind, put):
    head, data, stored = whole(kind)
    file = GGUFFile(put(head + data))
    assert file.tensors["m.weight"].kind == kind and file.tensors["m.weight"].shape[0] == 3
    assert np.array_equal(file.read("m.weight"), stored)
    assert file.read("n").view("<f4").tolist() == [1] * 4
    end = len(head + data)
    inside = {*range(0, len(head), 7), len(head) - 1, len(head), len(head) + 1}
    for size in sorted(inside | {len(head) + len(data) // 2, end - 17, end - 16, end - 1}):
        reason = "cut short" if size >= 24 else "not a GGUF file"
        refused(put((head + data)[:size]), reason)
    assert np.array_equal(GGUFFile(put(head + data + b"more")).read("m.weight"), stored)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_type_cannot_store_or_the_file_does_not_hold_is_refused(kind, put):
    number, block, size = KINDS[kind]
    data = bytes(4 * size + ALIGNMENT)
    for shape, offset, said in (
        ((0,), 0, f"gives m the shape (0,), which {kind} cannot store"),
        ((block, 0), 0, f"gives m the shape (0, {block})"),
        ((block, 2**62), 0, "is cut short: m would end at byte"),
        ((2**63 // block * block, 2**63, 2**63, 2**63), 0, "is cut short: m would end at byte"),
        ((block,), len(data), "is cut short: m would end at byte"),
        ((block,), 2**64 - 1, "is cut short: m would end at byte"),
        ((block,) * 5, 0, "twice, or with 5 axes"),
        ((), 0, "twice, or with 0 axes"),
    ):
        refused(put(header([Tensor("m", number, shape, offset)]) + data), said)
    if block > 1:
        for columns in (1, block - 1, block + 1, 3 * block - 1):
            table = [Tensor("m", number, (columns, 2), 0)]
            refused(put(header(table) + data), f"({2}, {columns}), which {kind} cannot store")
    for offset in (0, size - 1, 2 * size - 1):
        table = [Tensor("m", number, (2 * block,), 0), Tensor("n", number, (block,), offset)]
        refused(put(header(table) + data), "stores 'n' where 'm' lies" if offset else "lies")


def test_one_key_is_read_without_what_is_behind_it(put):
    path = put(header([])[:150])
    refused(path)
    assert value_of(path, "general.architecture") == "llama"
    with pytest.raises(HornbookError, match="cut short"):
        value_of(path, "not.there")


def test_counts_and_lengths_that_no_file_has_are_refused_at_once(put):
    tensor = Tensor("m", 0, (4,), 0)
    lists = struct.pack("<IQ", 4, 2**40), struct.pack("<IQ", 8, 2**60), struct.pack("<IQ", 7, 2000)
    refused(put(header([tensor], count=2**61) + bytes(64)), "cut short")
    refused(put(header([tensor], count=2)), "cut short", "goes on after")
    for packed in (*(value(9, each) for each in lists), value(8, struct.pack("<Q", 2**64 - 1))):
        refused(put(header([tensor], {"k": packed}) + bytes(64)))
    for kind, said in ((13, "a value of type 13"), (9, "a list of type 9")):
        packed = value(kind) if kind == 13 else value(9, struct.pack("<IQ", 9, 1))
        refused(put(header([tensor], {"k": packed}) + bytes(64)), said)
    for alignment in (0, 2**31):
        keys = {"general.alignment": value(4, struct.pack("<I", alignment))}
        refused(put(header([tensor], keys) + bytes(64)), "general.alignment")
    refused(put(header([tensor, tensor]) + bytes(64)), "the tensor 'm' twice")
    refused(put(header([tensor], {"k": value(8, struct.pack("<Q", 1), b"\xff")})), "UTF-8")


def in_parts(folder, count=3, changes=()):
    """A model in parts, a tensor in each; changes: of keys, by the number of a part."""
    changes, paths = dict(changes), []
    for number in range(count):
        own = {"split.no": value(2, struct.pack("<H", number))}
        own["split.count"] = value(2, struct.pack("<H", count))
        own["split.tensors.count"] = value(5, struct.pack("<i", count))
        tensors = [Tensor(f"t{number}", 0, (4,), 0)]
        keys = {**(KEYS if number == 0 else {}), **own, **changes.get(number, {})}
        paths.append(folder / f"m-{number + 1:05}-of-{count:05}.gguf")
        paths[-1].write_bytes(header(tensors, keys) + np.full(4, number, "<f4").tobytes())
    return paths


def test_a_model_in_parts_is_one(tmp_path):
    first, *rest = paths = in_parts(tmp_path)
    file = GGUFFile(first)
    assert parts_of(first) == file.files == paths and file.values["a.number"] == 7
    assert [file.read(f"t{i}").view("<f4").tolist() for i in range(3)] == [
        [i] * 4 for i in range(3)
    ]
    file.forget("t2")
    assert [is_model(path.name) for path in paths] == [True, False, False]
    refused(rest[0], "is part 2 of 3 of a model. Name the first one")
    other = first.rename(tmp_path / "other.gguf")
    refused(other, "is to end with -00001-of-00003.gguf")
    other.rename(first)
    whole = rest[1].read_bytes()
    rest[1].write_bytes(whole[:-1])
    with pytest.raises(HornbookError, match=f"{rest[1]} is cut short"):
        GGUFFile(first)
    rest[1].write_bytes(rest[0].read_bytes())
    with pytest.raises(HornbookError, match=f"{rest[1]} is not part 3 of 3 of {first}"):
        GGUFFile(first)
    rest[1].unlink()
    refused(first, "m-00003-of-00003.gguf is not beside it")


def test_parts_that_do_not_belong_together_are_refused(tmp_path):
    for key, packed, said in (
        ("split.tensors.count", value(5, struct.pack("<i", 4)), "have 4 tensors, not 3"),
        ("split.count", value(8, text("three")), "of three parts"),
        ("split.count", value(5, struct.pack("<i", -1)), "of -1 parts"),
    ):
        refused(in_parts(tmp_path, changes={0: {key: packed}})[0], said)
    second = in_parts(tmp_path)[1]
    second.write_bytes(second.read_bytes().replace(b"t1", b"t0"))
    with pytest.raises(HornbookError, match=f"{second} has the tensor 't0', as a part before"):
        GGUFFile(tmp_path / "m-00001-of-00003.gguf")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (4, "as Q4_2, which llama.cpp has given up. Ask for the same model as Q4_0"),
        (33, "as Q4_0_8_8, which llama.cpp has given up. Ask for the same model as Q4_0"),
        (37, "as IQ4_NL_4_8, which llama.cpp has given up. Ask for the same model as IQ4_NL"),
        (250, "as type 250, which is not known here. Ask for the same model as F16, Q8_0"),
        (2**32 - 1, "as type 4294967295, which is not known here"),
    ],
)
def test_types_that_are_not_there_are_named_with_one_that_is(number, said, put):
    refused(put(header([Tensor("m", number, (256,), 0)]) + bytes(4096)), "stores m", said)


NUMBERS = st.sampled_from([0, 1, 31, 32, 255, 2**31 - 1, 2**32 - 1, 2**63, 2**64 - 1])


@given(st.data())
def test_any_change_is_read_within_the_file_or_refused(tmp_path_factory, data):
    """Some bytes or a number of the header become others; what is read then lies in the file."""
    head, stored, _ = whole(data.draw(st.sampled_from(sorted(KINDS))))
    changed = bytearray(head + stored)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(head) - 1))
        wide = data.draw(st.sampled_from([1, 4, 8]))
        number = data.draw(NUMBERS) % 256**wide
        changed[at : at + wide] = number.to_bytes(wide, "little")
    path = tmp_path_factory.mktemp("changed") / "m.gguf"
    path.write_bytes(changed)
    try:
        file = GGUFFile(path)
    except HornbookError as error:
        assert str(path) in str(error)
        return
    for name, place in file.tensors.items():
        assert file.read(name).nbytes == place.bytes
