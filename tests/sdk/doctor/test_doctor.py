# SPDX-License-Identifier: Apache-2.0
"""tealight.doctor as a whole: which runtime a bundle meets, and what counts."""

from __future__ import annotations

import random

import pytest
from sdk.doctor.libraries import INFO, library
from sdk.doctor.packages import MANIFEST, archive, binary_xml
from sdk.small_graphs import small_bundle

from tealight import doctor
from tealight.doctor.findings import Level


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.tea"
    path.write_bytes(small_bundle())
    return path


def texts(report, level, check=""):
    return [f.text for f in report.findings if f.level is level and check in f.check]


def test_a_good_library_and_its_bundle(tmp_path, model):
    report = doctor.examine([library(tmp_path), model])
    assert report.errors == 0 and {f.file for f in report.findings} == {"libtealight.so", "model.tea"}
    assert any("libtealight.so has them" in t for t in texts(report, Level.OK, "ops"))


def test_libraries_given_come_before_the_installed_one(tmp_path, model):
    selective = library(tmp_path, info=INFO.replace(" transpose", ""))
    full = library(tmp_path / "full")
    (text,) = texts(doctor.examine([selective, model], runtime=full), Level.ERROR)
    assert text.startswith("needs transpose, libtealight.so was built without; run tools/selective_build")
    assert doctor.examine([model], runtime=full).errors == 0


def test_without_a_runtime_nothing_is_promised(model):
    assert any("no runtime to compare with" in t for t in texts(doctor.examine([model]), Level.WARNING))


def test_one_bad_file_does_not_hide_the_others(tmp_path, model):
    (tmp_path / "bad.so").write_bytes(b"\x7fELF")
    report = doctor.examine([tmp_path / "bad.so", model, tmp_path / "none.tea"])
    assert report.errors == 2 and texts(report, Level.OK, "contents") == ["checksum and structure are right"]


def test_damaged_packages_never_crash_it(tmp_path):
    files = {
        "AndroidManifest.xml": binary_xml(MANIFEST),
        "lib/x86_64/libtealight.so": library(tmp_path).read_bytes(),
        "assets/m.tea": small_bundle(),
    }
    good, rng = archive(tmp_path / "a.apk", files, align=64).read_bytes(), random.Random(17)
    refused = 0
    for i in range(150):
        data = bytearray(good if i % 3 else good[: rng.randrange(len(good))])
        for _ in range(8):
            if data:
                data[rng.randrange(len(data))] = rng.randrange(256)
        (tmp_path / "d.apk").write_bytes(data)
        report = doctor.examine([tmp_path / "d.apk"])
        assert report.findings
        refused += report.errors > 1  # one is that arm64 is missing
    assert refused > 75
