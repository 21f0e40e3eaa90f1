# SPDX-License-Identifier: Apache-2.0
"""Every check finds what it is for, in libraries of a real compiler, and says what to do."""

from __future__ import annotations

import dataclasses

import pytest
from sdk.doctor.libraries import INFO, library
from sdk.doctor.packages import MANIFEST, archive, binary_xml
from sdk.doctor.xcframeworks import SLICES, fat, write
from sdk.doctor.xcframeworks import dylib as apple_library
from sdk.small_graphs import small_bundle

from tealight.bundle import reader
from tealight.doctor import load
from tealight.doctor.checks import abis, alignment, golden, loading, manifest, ops, slices, symbols, version
from tealight.doctor.elf import PT_LOAD, Segment
from tealight.doctor.findings import Level
from tealight.doctor.package import Kind, Model, Package


def findings(check, path):
    return [(f.level.value, f.text) for f in check.check(load.load_safely(str(path)))]


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
    package = load.load_safely(str(library(tmp_path)))
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
    package.runtimes = load.load_safely(str(library(tmp_path, info=info))).libraries
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


# ---- Android packages ----

ARM, MANIFEST_FILE = "lib/arm64-v8a/libtealight.so", "AndroidManifest.xml"


@pytest.fixture(scope="module")
def arm64(tmp_path_factory):
    return library(tmp_path_factory.mktemp("arm64"), compiler="aarch64-linux-gnu-gcc").read_bytes()


@pytest.fixture
def apk(tmp_path, arm64):
    """Makes an .apk of a runtime, a bundle and a manifest, changed as asked."""

    def make(files=None, *, name="app.apk", text=MANIFEST, **options):
        parts = {MANIFEST_FILE: binary_xml(text), ARM: arm64, "assets/m.tea": small_bundle(), **(files or {})}
        return archive(tmp_path / name, {k: v for k, v in parts.items() if v is not None}, **options)

    return make


def test_a_good_apk(apk, tmp_path):
    other = library(tmp_path / "v7", compiler="arm-linux-gnueabihf-gcc").read_bytes()
    path = apk({"lib/armeabi-v7a/libtealight.so": other, "lib/x86_64/libtealight.so": library(tmp_path).read_bytes()})
    for check in (abis, loading, alignment, symbols, manifest, version):
        assert {level for level, _ in findings(check, path)} == {"ok"}, check.__name__


def test_processors_that_are_missing(apk):
    rows = findings(abis, apk())
    assert ("ok", "runtime for arm64-v8a") in rows and sum(level == "warning" for level, _ in rows) == 2
    text = the_problem(abis, apk({ARM: None}))
    assert text.startswith("no runtime at all, must have libtealight for arm64-v8a")


def test_a_folder_with_other_libraries_alone(apk, tmp_path):
    foreign = library(tmp_path, info="x").read_bytes()
    text = the_problem(abis, apk({"lib/x86_64/libgame.so": foreign}))
    assert text.startswith("other libraries, but not Tealight's") and "add x86_64" in text


def test_a_library_in_the_wrong_folder(apk, tmp_path):
    text = the_problem(abis, apk({ARM: library(tmp_path).read_bytes()}))
    assert text == "built for x86_64, must be for arm64-v8a; copy the right one"


def test_libraries_of_others_must_be_aligned_too(apk, tmp_path):
    flags = ["-Wl,-z,max-page-size=4096"]
    foreign = library(tmp_path, *flags, compiler="aarch64-linux-gnu-gcc", info="x", extra="int other;").read_bytes()
    path = apk({"lib/arm64-v8a/libgame.so": foreign})
    assert "segments aligned to 4096" in the_problem(alignment, path)
    assert {level for level, _ in findings(symbols, path)} == {"ok"}


def test_a_library_at_the_wrong_place(apk):
    path = apk(align=4)
    assert "must be a multiple of 16384; run zipalign" in the_problem(alignment, path)
    text = the_problem(alignment, path, "warning")
    assert "it is copied to memory when opened" in text and "a multiple of 64" in text


def test_a_compressed_library(apk):
    path = apk(compress=(ARM,))
    assert "compressed with extractNativeLibs=false" in the_problem(alignment, path)
    path = apk(compress=(ARM,), text=MANIFEST.replace('extractNativeLibs="false"', 'extractNativeLibs="true"'))
    assert "keeps an unpacked copy" in the_problem(alignment, path, "warning")


def test_a_compressed_bundle(apk):
    assert 'noCompress += "tea"' in the_problem(alignment, apk(compress=("assets/m.tea",)), "warning")


def test_the_runtime_of_a_package_is_the_one_that_counts(apk, tmp_path):
    from tealight import doctor

    poor = library(tmp_path, info=INFO.replace(" transpose", ""), compiler="aarch64-linux-gnu-gcc").read_bytes()
    full = library(tmp_path / "full")
    report = doctor.examine([apk({ARM: poor}), full])
    (problem,) = [f for f in report.findings if f.level is Level.ERROR]
    assert problem.check == "ops" and problem.text.startswith(f"needs transpose, {ARM} was built without")


def test_libraries_of_linux(apk, tmp_path):
    flags = ["-Wl,--no-as-needed", "-lc"]
    linux = library(tmp_path, *flags, compiler="aarch64-linux-gnu-gcc").read_bytes()
    path = apk({ARM: linux})
    assert the_problem(loading, path).startswith("needs libc.so.6 of Linux, a phone has libc.so")
    package = load.load_safely(str(path))
    package.may_be_linux = True
    assert [f.level for f in loading.check(package)] == [Level.WARNING]


def test_a_library_may_need_one_beside_it(apk, tmp_path):
    library(tmp_path, compiler="aarch64-linux-gnu-gcc")
    flags = ["-Wl,--no-as-needed", f"-L{tmp_path}", "-ltealight"]
    jni = library(tmp_path, *flags, compiler="aarch64-linux-gnu-gcc", name="libtealight_jni.so").read_bytes()
    assert {level for level, _ in findings(loading, apk({"lib/arm64-v8a/libtealight_jni.so": jni}))} == {"ok"}
    assert "needs libtealight.so" in the_problem(loading, apk({"lib/arm64-v8a/libtealight_jni.so": jni, ARM: None}))


def test_runtimes_of_two_versions(apk, tmp_path):
    old = library(tmp_path, info=INFO.replace("0.1.0", "0.0.9")).read_bytes()
    path = apk({"lib/x86_64/libtealight.so": old})
    assert the_problem(version, path).startswith("runtimes of versions 0.0.9, 0.1.0, must be one")


def test_a_package_without_a_runtime_in_its_library(apk, tmp_path):
    strange = library(tmp_path, info="x", compiler="aarch64-linux-gnu-gcc").read_bytes()
    assert "without build info" in the_problem(version, apk({ARM: strange}))


def test_the_entry_for_the_dsp(apk):
    entry = MANIFEST[MANIFEST.index("<uses-native") : MANIFEST.index("</application>")]
    text = the_problem(manifest, apk(text=MANIFEST.replace(entry, "")), "warning")
    assert "no entry for libcdsprpc.so" in text and "<uses-native-library android:name=" in text
    text = the_problem(manifest, apk(text=MANIFEST.replace('required="false"', 'required="true"')))
    assert "phones without it refuse to install the app" in text
    assert "not in the package" in the_problem(manifest, apk({MANIFEST_FILE: None}))


def test_an_aar(apk, arm64):
    jni = "jni/arm64-v8a/libtealight.so"
    path = apk({MANIFEST_FILE: MANIFEST.encode(), ARM: None, jni: arm64}, name="lib.aar", align=4)
    for check in (loading, alignment, symbols, manifest, version):
        assert {level for level, _ in findings(check, path)} == {"ok"}, check.__name__
    assert any("noCompress" in text for _, text in findings(alignment, path))


def test_the_library_that_others_link_against(apk, arm64, tmp_path):
    flags = ["-Wl,-z,max-page-size=4096"]
    link = library(tmp_path, *flags, compiler="aarch64-linux-gnu-gcc", strip=False).read_bytes()
    name = "prefab/modules/tealight_jni/libs/android.arm64-v8a/libtealight_jni.so"
    files = {MANIFEST_FILE: MANIFEST.encode(), ARM: None, "jni/arm64-v8a/libtealight_jni.so": arm64, name: link}
    path = apk(files, name="lib.aar")
    assert "runtime for arm64-v8a" in dict(findings(abis, path))["ok"]
    assert {level for level, _ in findings(symbols, path)} == {"ok"}
    assert "segments aligned to 4096" in the_problem(alignment, path)


# ---- .xcframework ----


def test_a_good_xcframework(tmp_path):
    path = write(tmp_path)
    assert [level for level, _ in findings(slices, path)] == ["ok"] * 3
    assert [level for level, _ in findings(version, path)] == ["ok"] * 3


def test_slices_that_are_missing(tmp_path):
    rows = findings(slices, write(tmp_path, SLICES[2:]))
    assert [text for level, text in rows if level == "error"] == [
        "nothing for ios on arm64, must be there; add the slice",
        "nothing for ios simulator on arm64, must be there; add the slice",
    ]
    assert "simulators on Intel" in the_problem(slices, tmp_path / "Tealight.xcframework", "warning")


def test_a_binary_for_another_processor_or_platform(tmp_path):
    path = write(tmp_path)
    binary = path / "ios-arm64" / "libtealight.a"
    binary.write_bytes(apple_library("_tl_version", arch="x86_64"))
    texts = [text for level, text in findings(slices, path) if level == "error"]
    assert texts[0].startswith("the binary is for x86_64, Info.plist says arm64") and "no build info" in texts[1]
    binary.write_bytes(fat(apple_library("_tl_version", "_other", platform="macos", info=binary.read_bytes())))
    texts = [text for level, text in findings(slices, path) if level == "error"]
    assert texts[0].startswith("arm64 is built for macos, must be for ios") and texts[1].startswith("exports _other")


def test_no_privacy_manifest(tmp_path):
    path = write(tmp_path)
    (path / "ios-arm64" / "PrivacyInfo.xcprivacy").unlink()
    assert "no PrivacyInfo.xcprivacy" in the_problem(slices, path, "warning")
