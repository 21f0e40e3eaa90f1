# SPDX-License-Identifier: Apache-2.0
"""The Java of android/README.md: compiled, and run where it needs no phone, on a trained classifier with its labels."""

from __future__ import annotations

import pathlib
import re
import shutil

import numpy as np
import pytest
from android.java_project import ROOT, SOURCE, Project, compile_java, sources
from models.recordings import find_case

import tealight

#: One worker compiles the classes.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("java")]

README = (ROOT / "android" / "README.md").read_text()
ANDROID_JAR = ROOT / "build" / "android" / "android.jar"
PLAIN = ["dev.tealight.*", "java.io.*", "java.nio.*", "java.util.*", "java.util.concurrent.*"]
ANDROID = [*PLAIN, "dev.tealight.android.*", "android.content.Context", "android.graphics.Bitmap", "android.util.Log"]
MOST_LINES = 15
LABELS = [f"class {i}" for i in range(1001)]

MAIN = """
public final class Main {
  public static void main(String[] arguments) throws Exception {
    java.nio.IntBuffer values = java.nio.ByteBuffer.wrap(java.nio.file.Files.readAllBytes(
        java.nio.file.Paths.get("pixels"))).order(java.nio.ByteOrder.LITTLE_ENDIAN).asIntBuffer();
    int[] pixels = new int[values.remaining()];
    values.get(pixels);
    Desktop0.run(pixels, 128, 128);
    try (dev.tealight.Model model = dev.tealight.Model.load("model.tea");
        dev.tealight.Session session = model.newSession()) {
      Desktop1.run(model, session);
    }
  }
}
"""


def snippets(kind: str) -> list[tuple[str, str]]:
    """Returns (parameters, code) of the blocks of a kind."""
    blocks = re.findall(rf"```java\n// {kind}: ([^\n]*)\n(.*?)```", README, flags=re.S)
    assert blocks, f"README: no block for {kind}, expected one"
    return blocks


def write_classes(folder: pathlib.Path, kind: str, imports: list[str]) -> list[str]:
    """Writes a class per snippet and returns the files."""
    files = []
    for i, (parameters, code) in enumerate(snippets(kind)):
        files.append(folder / f"{kind.capitalize()}{i}.java")
        lines = [f"import {name};" for name in imports]
        lines += [f"class {files[-1].stem} {{", f"static void run({parameters}) throws Exception {{", code, "}}"]
        files[-1].write_text("\n".join(lines))
    return [str(f) for f in files]


def test_first_results_take_few_lines():
    for kind in ("android", "desktop"):
        code = snippets(kind)[0][1].strip().splitlines()
        assert len(code) < MOST_LINES
    assert len(re.findall("```java", README)) == len(snippets("android")) + len(snippets("desktop"))


def test_android_snippets_compile(project, tmp_path):
    if not ANDROID_JAR.exists():
        pytest.skip("build/android/android.jar is not there; tools/test unpacks it")
    path = [project.classes, ANDROID_JAR]
    files = [*sources(SOURCE / "android" / "java"), *write_classes(tmp_path, "android", ANDROID)]
    compile_java(files, tmp_path / "classes", path)


def test_desktop_snippets_give_the_known_answer(project, assets, tmp_path):
    case = find_case(assets, "mobilenet_v1_0.25_128", "kitten_float")
    (pixels,) = case.load("inputs").values()  # uint8 [128, 128, RGB]
    argb = pixels.reshape(128, 128, 3).astype("<u4") @ np.array([1 << 16, 1 << 8, 1], "<u4")
    argb.astype("<u4").tofile(tmp_path / "pixels")
    image = {"mean": 128.0, "scale": 0.0078125, "layout": "NHWC"}
    tealight.build(str(case.model), str(tmp_path / "model.tea"), image=image, labels=LABELS)
    (tmp_path / "Main.java").write_text(MAIN)
    compile_java([*write_classes(tmp_path, "desktop", PLAIN), str(tmp_path / "Main.java")], tmp_path, [project.classes])
    here = Project(project.classes, tmp_path, tmp_path)
    label, score = here.run("Main").splitlines()
    assert label == f"class {case.row['top1']}"
    assert 0 <= float(score) <= 1


def test_commands_and_files_of_the_readme_are_there():
    for path in re.findall(r"`((?:sample|tealight)/)[\w/]*`", README):
        assert (ROOT / "android" / path).exists(), path
    tool = re.search(r"^(tools/\w+) ", README, re.M)[1]
    assert shutil.which(str(ROOT / tool)), tool
    version = re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    assert f"dev.tealight:tealight:{version}" in README
