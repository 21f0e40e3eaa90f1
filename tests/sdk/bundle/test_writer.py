# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import os
import pathlib
import resource
import stat
import subprocess
import sys

import numpy as np
import pytest
from sdk.small_graphs import reshape_graph, small_bundle

from tealight.bundle import writer
from tealight.bundle.format import PAGE, Header
from tealight.errors import BundleError, TealightError
from tealight.lower.emit import emit

SDK = pathlib.Path(__file__).resolve().parents[3] / "sdk"
TESTS = pathlib.Path(__file__).resolve().parents[2]


def test_layout_of_the_file():
    data = small_bundle(100_000)
    h = Header.unpack(data, "x")
    assert h.file_size == len(data) == h.data_offset + h.data_size
    assert h.metadata_offset == 128 and h.data_offset % PAGE == 0
    assert hashlib.sha256(data[128:]).digest() == h.sha256
    assert data[128 + 4 : 128 + 8] == b"TEA1"


def test_small_files_are_not_padded_to_pages():
    data = small_bundle()
    assert Header.unpack(data, "x").data_offset % 64 == 0 and len(data) < 2048


def test_equal_constants_are_stored_once():
    g = reshape_graph()
    for name in ("a", "b"):
        (y,) = g.add("concat", [g.outputs[0], g.constant(np.ones((5, 4), np.float32), name)], {"axis": 0})
        g.outputs = [y]
    bundle = emit(g).bundle
    assert sorted(c.nbytes for c in bundle.constants) == [16, 80]


def test_constant_order_fills_gaps_with_small_constants():
    sizes = [20_000, 64, 40_000, 1000, 8000]
    order = writer.constant_order(sizes)
    assert sorted(order) == list(range(len(sizes)))
    assert [i for i in order if sizes[i] > PAGE] == [0, 2]
    assert writer._place([sizes[i] for i in order])[1] < writer._place(sizes)[1]


def test_same_bytes_for_any_hash_seed():
    code = (
        "import hashlib; from sdk.small_graphs import small_bundle\n"
        "print(hashlib.sha256(small_bundle(70000)).hexdigest())"
    )
    digests = set()
    for seed in ("0", "1", "4711"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{SDK}{os.pathsep}{TESTS}"}
        run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
        digests.add(run.stdout.strip())
    assert len(digests) == 1


def test_write_replaces_the_file(tmp_path):
    target = tmp_path / "a.tea"
    target.write_bytes(b"old")
    writer.write(target, b"new bytes")
    assert target.read_bytes() == b"new bytes"
    assert [p.name for p in tmp_path.iterdir()] == ["a.tea"]
    assert stat.S_IMODE(target.stat().st_mode) & 0o600 == 0o600


def test_write_to_a_missing_folder(tmp_path):
    with pytest.raises(BundleError, match="does not exist, expected a folder"):
        writer.write(tmp_path / "none" / "a.tea", b"x")


def test_write_to_a_read_only_folder(tmp_path):
    folder = tmp_path / "fixed"
    folder.mkdir()
    folder.chmod(0o555)
    if os.access(folder, os.W_OK):  # root writes anywhere: a file system without write access stands in
        target = pathlib.Path("/proc/a.tea")
    else:
        target = folder / "a.tea"
    with pytest.raises(BundleError, match=r"read-only|No such file or directory, expected to write 1 bytes"):
        writer.write(target, b"x")
    folder.chmod(0o755)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("number", ["EROFS", "EACCES", "ENOSPC", "EDQUOT"])
def test_write_errors_leave_nothing(tmp_path, monkeypatch, number):
    import errno

    def fail(fd: int) -> None:
        raise OSError(getattr(errno, number), "no")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(BundleError, match=r"read-only|disk is full"):
        writer.write(tmp_path / "a.tea", b"x" * 1000)
    assert list(tmp_path.iterdir()) == []


def test_full_disk_leaves_nothing_and_keeps_the_old_file(tmp_path):
    # A file size limit stands in for a full disk: the write itself fails in the middle.
    target = tmp_path / "a.tea"
    target.write_bytes(b"old")
    code = (
        "import resource, signal, sys; from tealight.bundle import writer; from tealight.errors import BundleError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: writer.write(sys.argv[1], b'x' * 100000)\n"
        "except BundleError as e: print(e)"
    )
    env = {**os.environ, "PYTHONPATH": str(SDK)}
    run = subprocess.run([sys.executable, "-c", code, str(target)], env=env, capture_output=True, text=True, check=True)
    assert "the disk is full, 100000 bytes are needed" in run.stdout
    assert [p.name for p in tmp_path.iterdir()] == ["a.tea"] and target.read_bytes() == b"old"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 4096


def test_devices_and_links_stay_what_they_are(tmp_path):
    (tmp_path / "a.tea").write_bytes(b"old")
    (tmp_path / "link.tea").symlink_to("a.tea")
    writer.write(tmp_path / "link.tea", b"new")
    assert (tmp_path / "link.tea").is_symlink() and (tmp_path / "a.tea").read_bytes() == b"new"
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    writer.write(tmp_path / "pipe", b"through")
    assert os.read(reading, 100) == b"through" and not (tmp_path / "pipe").is_file()
    os.close(reading)


def test_unknown_attribute_is_refused():
    g = reshape_graph()
    g.nodes[0].attrs["colour"] = 1
    with pytest.raises(TealightError, match="transpose: attribute 'colour'"):
        writer.to_bytes(emit(g).bundle)
