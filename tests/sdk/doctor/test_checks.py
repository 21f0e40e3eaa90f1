# SPDX-License-Identifier: Apache-2.0
"""Every check finds what it is for, in libraries of a real compiler, and says what to do."""

from __future__ import annotations

import dataclasses

import pytest
from sdk.doctor.libraries import INFO, library
from sdk.small_graphs import small_bundle

from tealight.bundle import reader
from tealight.doctor import load
from tealight.doctor.checks import alignment, golden, loading, ops, symbols, version
from tealight.doctor.elf import PT_LOAD, Segment
from tealight.doctor.findings import Level
from tealight.doctor.package import Kind, Model, Package


def findings(check, path):
    return [(f.level.value, f.text) for f in check.check(load.load(str(path)))]


def the_problem(check, path, level="error"):
    (text,) = [text for found, text in findings(check, path) if found == level]
    return text


def test_a_good_library_has_no_problems(tmp_path):
    path = library(tmp_path)
    for check in (alignment, loading, symbols, version):
        assert {level for level, _ in findings(check, path)} == {"ok"}


def test_alignment_of_4_kib(tmp_path):
    text = the_problem(alignment, library(tmp_path, "-Wl,-z,max-page-size=4096"))
    assert text == "segments aligned to 4096 bytes, must be 16384; link with -Wl,-z,max-page-size=16384"


def test_alignment_does_not_matter_with_32_bits(tmp_path):
    path = library(tmp_path, "-Wl,-z,max-page-size=4096", compiler="arm-linux-gnueabihf-gcc")
    assert {level for level, _ in findings(alignment, path)} == {"ok"}


def test_a_segment_off_its_page(tmp_path):
    package = load.load(str(library(tmp_path)))
    elf = dataclasses.replace(package.libraries[0].elf, segments=(Segment(PT_LOAD, 5, 0, 4096, 100, 16384),))
    package.libraries = [dataclasses.replace(package.libraries[0], elf=elf)]
    (found,) = alignment.check(package)
    assert found.level is Level.ERROR and "for address 0x1000, must be the same modulo 16384" in found.text


def test_a_needed_library_that_is_not_there(tmp_path):
    library(tmp_path, name="libother.so")
    text = the_problem(loading, library(tmp_path, "-Wl,--no-as-needed", f"-L{tmp_path}", "-lother"))
    assert text.startswith("needs libother.so, expected only the system's")


def test_text_relocations(tmp_path):
    code = 'int tl_x; __asm__(".text\\n.quad tl_x\\n");'
    assert "text relocations" in the_problem(loading, library(tmp_path, "-Wl,-z,notext", extra=code))


def test_a_segment_that_is_written_and_run(tmp_path):
    assert "a segment that is written and run" in the_problem(loading, library(tmp_path, "-Wl,-N"))


def test_foreign_exports(tmp_path):
    code = "\n".join(f"int helper_{c}(void) {{ return 0; }}" for c in "abcde")
    text = the_problem(symbols, library(tmp_path, extra=code))
    assert text.startswith("exports helper_a, helper_b, helper_c and 2 more, must export only tl_*")


def test_jni_may_be_exported(tmp_path):
    path = library(tmp_path, extra="int JNI_OnLoad(void) { return 0; }")
    assert {level for level, _ in findings(symbols, path)} == {"ok"}


def test_no_exports(tmp_path):
    assert "exports nothing" in the_problem(symbols, library(tmp_path, "-fvisibility=hidden"))


def test_not_stripped(tmp_path):
    path = library(tmp_path, "-g", strip=False)
    assert the_problem(symbols, path, "warning").startswith("not stripped: ")


def test_a_library_of_somebody_else(tmp_path):
    assert "no build info" in the_problem(version, library(tmp_path, info="nothing"))


def model(tmp_path, info=INFO, **parts):
    package = Package("m.tea", Kind.BUNDLE)
    package.models.append(Model("m.tea", reader.read_bundle(small_bundle(**parts))))
    package.runtimes = load.load(str(library(tmp_path, info=info))).libraries
    return package


@pytest.mark.parametrize("check", [version, ops])
def test_a_bundle_that_fits(tmp_path, check):
    (found,) = check.check(model(tmp_path))
    assert found.level is Level.OK


def test_a_runtime_that_is_too_old(tmp_path):
    (found,) = version.check(model(tmp_path, INFO.replace("format 1", "format 0")))
    assert found.level is Level.ERROR and "format 1, libtealight.so runs up to 0; update the runtime" in found.text


def test_ops_and_features_that_a_build_lacks(tmp_path):
    package = model(tmp_path, INFO.replace("reshape transpose", "conv2d").replace(" winograd", ""))
    package.models[0].bundle.programs[0].instructions[0].attrs["winograd"] = 4
    (found,) = ops.check(package)
    assert found.level is Level.ERROR and found.text.startswith(
        "needs reshape, transpose, winograd, libtealight.so was"
    )


def test_golden(tmp_path):
    package = model(tmp_path)
    (found,) = golden.check(package)
    assert found.level is Level.WARNING and "no golden data" in found.text
    package.models[0].bundle.golden.append({"program": 0, "inputs": [], "outputs": []})
    (found,) = golden.check(package)
    assert found.level is Level.OK
