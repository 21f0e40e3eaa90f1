# SPDX-License-Identifier: Apache-2.0
"""The sample app as tools/build_apk makes it: signed, aligned, of the right API level, in order for the doctor."""

from __future__ import annotations

import pathlib
import re
import shutil
import struct
import subprocess
import zipfile

import numpy as np
import pytest
from android.class_files import Library, parse
from android.java_project import ROOT, compile_java
from sdk.small_graphs import endless_graph
from tool_scripts import tool

from tealight import doctor
from tealight.bundle import writer
from tealight.evaluation import boxes
from tealight.lower.emit import emit

SAMPLE = ROOT / "android" / "sample" / "src"
TOOLS = ("javac", "aapt", "zipalign", "apksigner", "dexdump", "aarch64-linux-gnu-strip")

#: Class -> the API level that it needs, where that is newer than minSdk: used only where the phone has it.
NEWER_CLASSES = {
    "dev/tealight/sample/BenchmarkActivity": 29,
    "dev/tealight/sample/Photos$Decoder": 28,
}

#: One worker makes the app.
pytestmark = pytest.mark.xdist_group("android_sample")


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> pathlib.Path:
    """A folder with sample.apk and what it was made from."""
    missing = [t for t in TOOLS if shutil.which(t) is None]
    if missing:
        pytest.skip(f"{missing} not found; tools/test installs them")
    library = ROOT / "build" / "arm64" / "libtealight_jni.so"
    for path in (ROOT / "build" / "android" / "android.jar", ROOT / "build" / "android" / "dx.jar", library):
        if not path.exists():
            pytest.skip(f"{path.relative_to(ROOT)} is not there; tools/test makes it")
    folder = tmp_path_factory.mktemp("sample")
    (folder / "model.tea").write_bytes(writer.to_bytes(emit(endless_graph()).bundle))
    bundles = {"classify.tea": folder / "model.tea", "detect.tea": folder / "model.tea"}
    tool("build_apk").build(folder / "sample.apk", bundles, library, folder)
    return folder


def output_of(*command: object) -> str:
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_apk_is_signed_and_its_mapped_files_lie_on_pages(work):
    apk = work / "sample.apk"
    assert "Verified using v2 scheme (APK Signature Scheme v2): true" in output_of(
        "apksigner", "verify", "-v", "--min-sdk-version", "23", apk
    )
    output_of("zipalign", "-c", "-p", "4", apk)
    mapped = 0
    with zipfile.ZipFile(apk) as archive, apk.open("rb") as raw:
        for info in archive.infolist():
            if info.filename.endswith((".so", ".tea")):
                raw.seek(info.header_offset + 26)
                name_bytes, extra_bytes = struct.unpack("<HH", raw.read(4))
                assert info.compress_type == zipfile.ZIP_STORED
                assert (info.header_offset + 30 + name_bytes + extra_bytes) % 16384 == 0, info.filename
                mapped += 1
        assert archive.read("assets/classify.tea") == (work / "model.tea").read_bytes()
    assert mapped == 3


@pytest.mark.slow
def test_doctor_finds_nothing_wrong_but_the_c_library(work):
    report = doctor.examine([str(work / "sample.apk")])
    errors = [f for f in report.findings if f.level is doctor.Level.ERROR]
    assert [f.check for f in errors] == ["loading"]  # glibc for bionic, which the NDK would take
    assert doctor.examine([str(work / "sample.apk")], linux_libraries=True).errors == 0


@pytest.mark.slow
def test_manifest_of_the_app(work):
    described = output_of("aapt", "dump", "badging", work / "sample.apk")
    assert "sdkVersion:'23'" in described and re.search(r"targetSdkVersion:'(\d+)'", described)[1] == "36"
    assert re.findall(r"uses-permission: name='([^']*)'", described) == ["android.permission.CAMERA"]
    assert "native-code: 'arm64-v8a'" in described
    tree = output_of("aapt", "dump", "xmltree", work / "sample.apk", "AndroidManifest.xml")
    assert re.search(r"allowBackup\S*=\(type 0x12\)0x0", tree) and re.search(
        r"fullBackupContent\S*=\(type 0x12\)0x0", tree
    )
    native = tree[tree.index("uses-native-library") :]
    assert "libcdsprpc.so" in native and re.search(r"required\S*=\(type 0x12\)0x0", native)
    activities = re.findall(r'E: activity .*\n\s+A: android:name\S*="([^"]*)"', tree)
    assert len(activities) == 4
    assert not [a for a in activities if not (SAMPLE / "main/java" / (a.replace(".", "/") + ".java")).exists()]
    assert "dataExtractionRules" in (SAMPLE / "main" / "AndroidManifest.xml").read_text()


@pytest.mark.slow
def test_dex_holds_the_app_and_nothing_of_the_stubs(work):
    names = {
        n.strip("L;") for n in re.findall(r"Class descriptor  : '(\S+)'", output_of("dexdump", work / "sample.apk"))
    }
    compiled = {str(p.relative_to(work / "classes"))[: -len(".class")] for p in (work / "classes").rglob("*.class")}
    assert names == compiled
    assert {n.rsplit("/", 1)[0] for n in names} == {"dev/tealight", "dev/tealight/android", "dev/tealight/sample"}


@pytest.mark.slow
def test_nothing_newer_than_min_sdk_is_called(work):
    platform = Library(str(ROOT / "build" / "android" / "android.jar"))
    classes = {c.name: c for c in (parse(p.read_bytes()) for p in (work / "classes").rglob("*.class"))}
    newer = set()
    for found in classes.values():
        assert not found.lambdas, found.name  # dx cannot replace them
        if found.name.startswith("dev/tealight/sample/"):
            uses = [u for u in found.uses if not u[0].startswith("[") and not platform.has(*u, classes)]
            newer |= {found.name} if uses else set()
    assert newer == set(NEWER_CLASSES)
    for name, level in NEWER_CLASSES.items():
        text = (SAMPLE / "main" / "java" / f"{name.split('$')[0]}.java").read_text()
        assert re.search(rf"Build\.VERSION\.SDK_INT (>=|<) {level}\b", text), name


FIND_BOXES = """
package dev.tealight.sample;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Paths;

public final class FindBoxes {
  public static void main(String[] files) throws Exception {
    for (Boxes.Box b : Boxes.find(read(files[0]), read(files[1]), 3, 0.05f, 0.45f)) {
      System.out.println(b.left + " " + b.top + " " + b.right + " " + b.bottom + " " + b.score + " " + b.classIndex);
    }
  }

  private static FloatBuffer read(String file) throws Exception {
    return ByteBuffer.wrap(Files.readAllBytes(Paths.get(file))).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
  }
}
"""


@pytest.mark.slow
def test_boxes_are_those_of_the_desktop(tmp_path):
    if shutil.which("javac") is None:
        pytest.skip("javac not found; tools/test installs it")
    rng = np.random.default_rng(7)
    corners = np.sort(rng.random((150, 2, 2), np.float32), axis=1).reshape(150, 4)
    scores = rng.dirichlet((1, 1, 1), 150).astype(np.float32)
    corners.tofile(tmp_path / "corners")
    scores.tofile(tmp_path / "scores")
    (tmp_path / "FindBoxes.java").write_text(FIND_BOXES)
    compile_java([str(SAMPLE / "main/java/dev/tealight/sample/Boxes.java"), str(tmp_path / "FindBoxes.java")], tmp_path)
    printed = output_of(
        "java", "-cp", tmp_path, "dev.tealight.sample.FindBoxes", tmp_path / "corners", tmp_path / "scores"
    )
    found = np.array([line.split() for line in printed.splitlines()], np.float64)
    wanted = boxes.find({"boxes": corners[None], "scores": scores[None]}, (300, 300))
    assert len(found) == len(wanted["boxes"]) > 20
    np.testing.assert_allclose(found[:, :4], wanted["boxes"], rtol=1e-6)
    np.testing.assert_allclose(found[:, 4], wanted["scores"], rtol=1e-6)
    assert found[:, 5].tolist() == (wanted["classes"]).tolist()
