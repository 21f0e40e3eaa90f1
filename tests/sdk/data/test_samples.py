# SPDX-License-Identifier: Apache-2.0
"""Sets of samples: every source gives the same rows, bounded memory, clear errors."""

from __future__ import annotations

import pathlib
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from tealight.data.samples import Sample, function, open_samples, reusable
from tealight.emulator.types import TensorInfo
from tealight.errors import TealightError

X = TensorInfo("x", np.dtype(np.float32), (1, 3))
ROWS = np.arange(12, dtype=np.float32).reshape(4, 3)
LABELS = np.array([0, 2, 1, 1])


def rows_of(samples):
    return [s.inputs["x"] for s in samples], [s.label for s in samples]


def make_source(kind, folder):
    if kind == "npz":
        np.savez_compressed(folder / "d.npz", x=ROWS, labels=LABELS)
        return folder / "d.npz", None
    if kind == "npz of another name":
        np.savez(folder / "d.npz", rows=ROWS, labels=LABELS)
        return folder / "d.npz", None
    if kind == "npy":
        np.save(folder / "d.npy", ROWS)
        np.save(folder / "l.npy", LABELS)
        return str(folder / "d.npy"), folder / "l.npy"
    if kind == "text labels":
        np.save(folder / "d.npy", ROWS)
        (folder / "l.txt").write_text("\n".join(map(str, LABELS)))
        return folder / "d.npy", folder / "l.txt"
    if kind == "list":
        return [({"x": r}, y) for r, y in zip(ROWS, LABELS, strict=True)], None
    if kind == "arrays":
        return list(ROWS), LABELS
    return (lambda: ((r[None], y) for r, y in zip(ROWS, LABELS, strict=True))), None


@pytest.mark.parametrize(
    "kind", ["npz", "npz of another name", "npy", "text labels", "list", "arrays", "function of pairs"]
)
def test_every_source_gives_the_same_samples_twice(tmp_path, kind):
    source, labels = make_source(kind, tmp_path)
    samples = open_samples(source, [X], labels=labels)
    for _ in range(2):
        arrays, found = rows_of(samples)
        assert np.array_equal(np.concatenate(arrays), ROWS) and found == LABELS.tolist()
    assert len(list(samples.first(2))) == 2
    assert samples.count in (4, None)


def test_class_folders_of_pictures_become_inputs_and_labels(tmp_path):
    for name, color in (("zebra", (200, 10, 20)), ("ant", (0, 100, 50))):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 6), color).save(tmp_path / name / "a.png")
    info = TensorInfo("x", np.dtype(np.float32), (1, 3, 4, 4))
    image = {
        "input": "x", "height": 4, "width": 4, "channels": 3, "layout": "NCHW", "channel_order": "BGR",
        "mean": [10.0, 0.0, 0.0], "scale": [1.0, 1.0, 0.5],
    }  # fmt: skip
    ant, zebra = open_samples(tmp_path, [info], images=[image])
    assert (ant.label, zebra.label) == (0, 1)  # sorted names without labels of the model
    assert zebra.inputs["x"].shape == (1, 3, 4, 4)
    assert zebra.inputs["x"][0, :, 0, 0].tolist() == [10.0, 10.0, 100.0]  # (pixel - mean) * scale, as BGR
    ant, zebra = open_samples(tmp_path, [info], images=[image], classes=["bee", "zebra", "ant"])
    assert (ant.label, zebra.label) == (2, 1)
    with pytest.raises(TealightError, match="class 'ant': not among the 2 labels of the model; did you mean 'aunt'"):
        open_samples(tmp_path, [info], images=[image], classes=["zebra", "aunt"])


def test_uint8_rows_are_pictures(tmp_path):
    rows = np.random.default_rng(0).integers(0, 256, (3, 5, 5, 3), np.uint8)
    np.savez(tmp_path / "d.npz", rows)
    info = TensorInfo("x", np.dtype(np.float32), (1, 5, 5, 3))
    image = {"input": "x", "layout": "NHWC", "channel_order": "RGB", "mean": [1.0], "scale": [2.0]}
    first = next(iter(open_samples(tmp_path / "d.npz", [info], images=[image])))
    assert np.array_equal(first.inputs["x"][0], (rows[0].astype(np.float32) - 1) * 2)


def test_boxes_of_an_archive_are_labels(tmp_path):
    boxes = np.array([[0, 0, 1, 1], [0, 0, 2, 2], [1, 1, 2, 2]], np.float32)
    np.savez(tmp_path / "d.npz", x=ROWS[:2], boxes=boxes, classes=[3, 4, 5], sample=[1, 0, 1])
    first, second = open_samples(tmp_path / "d.npz", [X])
    assert first.label["classes"].tolist() == [4] and second.label["classes"].tolist() == [3, 5]
    assert np.array_equal(second.label["boxes"], boxes[[0, 2]])


def test_large_archives_are_read_row_by_row(tmp_path):
    np.savez_compressed(tmp_path / "d.npz", x=np.zeros((500, 30000), np.float32), labels=np.zeros(500, int))
    info = TensorInfo("x", np.dtype(np.float32), (1, 30000))
    samples = open_samples(tmp_path / "d.npz", [info])
    tracemalloc.start()
    assert sum(1 for _ in samples) == 500
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6  # 60 MB in all


def damaged(path: pathlib.Path) -> pathlib.Path:
    """Writes an archive with one wrong byte among its numbers."""
    np.savez(path, x=ROWS)
    data = bytearray(path.read_bytes())
    data[data.index(ROWS.tobytes()) + 5] ^= 1
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda p: p / "none.npz", "not found, expected a .npz, a .npy, a folder or module:function"),
        (lambda p: (p / "a.txt").write_text("") or p / "a.txt", "kind '.txt', expected .npz, .npy or a folder"),
        (lambda p: p, "no pictures, .wav, .npy or .npz in it"),
        (lambda p: [], "empty, expected at least one sample"),
        (lambda p: 3, "data: int, expected a file, a folder, a function or an iterable"),
        (lambda p: "os:nothing_like_this", "expected module:function that can be imported"),
        (lambda p: saved(p / "a.npy", np.float32(3)), "a.npy': one number, expected rows"),
        (lambda p: saved(p / "a.npz", x=ROWS, labels=np.int64(3)), "1 labels for 4 samples"),
        (lambda p: texts(p / "a.npz"), "expected a readable .npz file"),
        (lambda p: np.array(3.0), "data: ndarray, expected a file, a folder, a function or an iterable"),
        (lambda p: [[[1.0], [2.0, 3.0]]], "sample 0: setting an array element"),
        (lambda p: ":f", "function ':f': Empty module name, expected module:function"),
        (lambda p: "time:time", "data 'time': gave float, expected an iterable of samples"),
        (lambda p: (p / "a.npz").write_bytes(b"PK") and p / "a.npz", "expected a readable .npz file"),
        (lambda p: (p / "a.npy").write_bytes(b"") or p / "a.npy", "expected a readable .npy file"),
        (lambda p: (p / "a.npy").write_bytes(b"noise") and p / "a.npy", "no array of numbers, expected"),
        (
            lambda p: np.save(p / "a.npy", ROWS) or (p / "a.npy").rename(p / "a.npz"),
            "a single array, expected a readable .npz",
        ),
        (lambda p: damaged(p / "a.npz"), "expected a readable .npz file"),
    ],
)
def test_broken_sources_give_clear_errors(tmp_path, make, text):
    with pytest.raises(TealightError, match=text.replace("(", r"\(")):
        list(open_samples(make(tmp_path), [X]))


def saved(path, array=None, **arrays):
    """Returns the path of a .npy or .npz file that was written."""
    if arrays:
        np.savez(path, **arrays)
    else:
        np.save(path, array)
    return path


def texts(path):
    """Returns the path of an archive that holds no arrays."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "text")
    return path


def test_labels_must_be_one_for_each_sample(tmp_path):
    for bad in (3, np.array(3), saved(tmp_path / "one.npy", np.int64(3))):
        with pytest.raises(TealightError, match=r"labels: .*expected (one for each sample|4)"):
            open_samples(list(ROWS), [X], labels=bad)
    with pytest.raises(TealightError, match="labels: 3, expected 4: one for each sample"):
        open_samples(list(ROWS), [X], labels=[1, 2, 3])
    with pytest.raises(TealightError, match="labels: 3, but the data goes on"):
        list(open_samples(lambda: iter(ROWS), [X], labels=[1, 2, 3]))
    np.savez(tmp_path / "d.npz", x=ROWS, labels=[1, 2])
    with pytest.raises(TealightError, match="2 labels for 4 samples"):
        open_samples(tmp_path / "d.npz", [X])


def test_unknown_input_and_used_iterator_are_named():
    with pytest.raises(TealightError, match="sample 0: 'X' is not an input, expected \\['x'\\]"):
        list(open_samples([{"X": ROWS[0]}], [X]))
    samples = open_samples(iter(ROWS), [X])
    assert len(list(samples)) == 4
    with pytest.raises(TealightError, match="an iterator that was read already"):
        list(samples)


def test_function_is_found_by_name():
    assert function("math:sqrt")(4) == 2
    assert isinstance(next(iter(open_samples([Sample({"x": ROWS[0]}, 7)], [X]))).label, int)


def test_scalars_stay_scalars():
    infos = [TensorInfo("x", np.dtype(np.float32), (2,)), TensorInfo("rate", np.dtype(np.int64), ())]
    (sample,) = open_samples([{"x": np.zeros(2, np.float32), "rate": np.array(16000)}], infos)
    assert sample.inputs["rate"].shape == () and int(sample.inputs["rate"]) == 16000


def test_a_mapping_is_one_sample():
    (sample,) = open_samples({"x": ROWS[:1]}, [X])
    assert np.array_equal(sample.inputs["x"], ROWS[:1])


@pytest.mark.parametrize("limit", [0, -1, 2.5, "4"])
def test_limit_must_be_a_count(limit):
    with pytest.raises(TealightError, match=f"limit {limit!r}: expected a number of samples, at least 1"):
        open_samples(list(ROWS), [X]).first(limit)


def test_numbers_above_float32_are_infinite_without_a_warning():
    (sample,) = open_samples([np.full(3, 1e300)], [X])
    assert np.isinf(sample.inputs["x"]).all()


def test_iterators_are_kept_to_be_read_again():
    rows = iter(ROWS)
    assert len(reusable(rows, 3)) == 3 and next(rows) is not None
    assert reusable(ROWS) is ROWS
