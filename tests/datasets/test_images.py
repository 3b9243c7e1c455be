"""Images from folders, idx files and Parquet say the same; broken ones are named."""

import gzip
import io
import json
import os
import zlib
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from hornbook.core.errors import HornbookError, UsageError
from hornbook.datasets.idx import read_array, write
from hornbook.datasets.image_data import LabelledImages
from hornbook.datasets.images import read_images

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 5), np.uint8)
LABELS = np.array([0, 1, 1, 0, 2, 2])


def idx(array):
    header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "png")
    return stream.getvalue()


@pytest.fixture
def mnist(tmp_path):
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(PIXELS)))
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS)))
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(PIXELS[:2]))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS[:2]))
    return tmp_path


@pytest.fixture
def folder(tmp_path):
    for i, (pixels, label) in enumerate(zip(PIXELS, LABELS, strict=True)):
        path = tmp_path / "train" / "abc"[label] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(pixels))
    return tmp_path


def test_what_is_written_as_idx_is_read_again(tmp_path):
    images = LabelledImages(PIXELS[..., None], LABELS.astype(np.int64), ("0", "1"))
    write(tmp_path, "train", images)
    found = read_images(tmp_path, "train")
    assert np.array_equal(found.pixels, images.pixels)
    assert np.array_equal(found.labels, images.labels)


def test_idx(mnist):
    train, test = read_images(mnist, "train"), read_images(mnist, "test")
    assert (train.pixels[..., 0] == PIXELS).all() and (train.labels == LABELS).all()
    assert train.names == ("0", "1", "2")
    assert len(test.pixels) == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (idx(PIXELS)[:-1], "states 150 bytes of values and holds 149"),
        (idx(PIXELS) + b"x", "states 150 bytes of values and holds more"),
        (idx(LABELS), "no idx file of bytes in 3 dimensions"),
        (b"", "no idx file"),
        (bytes((0, 0, 8, 3)) + b"\xff" * 12, "beyond all use"),
    ],
)
def test_broken_idx_files_are_named(data, message, tmp_path):
    path = tmp_path / "images"
    path.write_bytes(data)
    with pytest.raises(HornbookError, match=message):
        read_array(path, 3)
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(data)[:-5])
    with pytest.raises(HornbookError, match=r"images\.gz"):
        read_array(path, 3)


def test_labels_must_be_as_many_as_images(mnist):
    (mnist / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS[:1]))
    with pytest.raises(HornbookError, match=r"2 images, but .* 1 labels"):
        read_images(mnist, "test")


def test_folders_by_class(folder):
    found = read_images(folder, "train", channels=1)
    order = np.argsort(LABELS, kind="stable")
    assert (found.pixels[..., 0] == PIXELS[order]).all()
    assert found.labels.tolist() == sorted(LABELS) and found.names == ("a", "b", "c")
    assert read_images(folder, "train", size=3).pixels.shape == (6, 3, 3, 3)


def test_a_broken_image_costs_itself(folder):
    (folder / "train" / "b" / "1.png").write_bytes(b"no image")
    found = read_images(folder, "train", channels=1)
    assert len(found.labels) == 5
    assert len(found.rejected) == 1 and "1.png" in found.rejected[0]


def bomb():
    """An image of ten billion pixels, in a few bytes."""
    data = bytearray(png(PIXELS[0]))
    data[16:24] = (100_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


def large():
    """One that Pillow alone would open."""
    return png(np.zeros((8193, 8193), bool))


def chatty():
    """A picture with a comment that unpacks to far more than a comment may hold."""
    whole = png(PIXELS[0])
    text = b"zTXtComment\0\0" + zlib.compress(bytes(2**26), 1)
    chunk = (len(text) - 4).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    return whole[:33] + chunk + whole[33:]


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 5 5\n%%EndComments\nshowpage\n"


@pytest.mark.parametrize(
    "data",
    [bomb, large, chatty, lambda: POSTSCRIPT, lambda: png(PIXELS[0])[:-30], lambda: b""],
    ids=["claims", "large", "comment", "program", "cut", "empty"],
)
def test_a_hostile_image_costs_itself(data, folder):
    (folder / "train" / "b" / "1.png").write_bytes(data())
    found = read_images(folder, "train", channels=1)
    assert len(found.labels) == 5
    assert len(found.rejected) == 1 and "1.png" in found.rejected[0]


@pytest.mark.parametrize("labels", [[10**12, 0], [-1, 0], ["a", "zz"]])
def test_a_label_without_a_name_is_refused(labels, tmp_path):
    table = pyarrow.table({"image": [png(pixels) for pixels in PIXELS[:2]], "label": labels})
    features = {"label": {"names": ["a", "b"], "_type": "ClassLabel"}}
    if isinstance(labels[0], str):
        info = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": info})
    parquet.write_table(table, tmp_path / "train.parquet")
    with pytest.raises(HornbookError, match="label"):
        read_images(tmp_path, "train")


def test_sizes_that_differ_ask_for_one(folder):
    (folder / "train" / "b" / "1.png").write_bytes(png(np.zeros((9, 5), np.uint8)))
    with pytest.raises(UsageError, match="from 5 to 9 pixels"):
        read_images(folder, "train")
    assert len(read_images(folder, "train", size=5).labels) == 6


@pytest.mark.parametrize("named", [True, False])
def test_parquet(named, tmp_path):
    images = [{"bytes": png(pixels), "path": None} for pixels in PIXELS]
    labels = LABELS.tolist() if named else ["abc"[i] for i in LABELS]
    table = pyarrow.table({"image": images, "label": labels})
    if named:
        features = {"label": {"names": ["a", "b", "c"], "_type": "ClassLabel"}}
        info = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": info})
    parquet.write_table(table, tmp_path / "train-00000-of-00001.parquet")
    found = read_images(tmp_path, "train", channels=1)
    assert (found.pixels[..., 0] == PIXELS).all()
    assert (found.labels == LABELS).all() and found.names == ("a", "b", "c")
    with pytest.raises(UsageError, match="no part named test"):
        read_images(tmp_path, "test")


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(UsageError, match="holds no images"):
        read_images(tmp_path, "train")
    with pytest.raises(UsageError, match="does not exist"):
        read_images(tmp_path / "x", "train")
    parquet.write_table(pyarrow.table({"picture": [b""]}), tmp_path / "train.parquet")
    with pytest.raises(HornbookError, match="no column image or img"):
        read_images(tmp_path, "train")


@pytest.mark.data
def test_fashion_mnist():
    found = read_images(Path(os.environ["HORNBOOK_DATA"]) / "vision_fashion_mnist", "train")
    assert found.pixels.shape == (60_000, 28, 28, 1)
    assert np.bincount(found.labels).tolist() == [6000] * 10
    assert found.pixels.mean() == pytest.approx(72.940, abs=0.001)
