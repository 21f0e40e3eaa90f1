# SPDX-License-Identifier: Apache-2.0
"""An app that is shrunk and renamed by ProGuard with consumer-rules.pro still finds all that JNI looks up."""

from __future__ import annotations

import pathlib
import shutil
import struct
import subprocess
import zipfile

import pytest
from android.java_project import ROOT, Project, java_home

RULES = ROOT / "android" / "tealight" / "consumer-rules.pro"
JAVA_8 = 52  # version of class files

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("java")]


def java8_classes(jar: pathlib.Path) -> None:
    """Writes the signatures of Java 8's own classes, which the JDK keeps for --release, as a jar."""
    with zipfile.ZipFile(java_home() / "lib" / "ct.sym") as table, zipfile.ZipFile(jar, "w") as target:
        for name in table.namelist():
            releases, *path = name.split("/")
            if "8" in releases and name.endswith(".sig") and path[0] == "java.base":
                content = table.read(name)
                content = content[:4] + struct.pack(">HH", 0, JAVA_8) + content[8:]  # some carry the JDK's own version
                target.writestr("/".join(path[1:]).removesuffix(".sig") + ".class", content)


def minify(project: Project, folder: pathlib.Path, *rules: str) -> pathlib.Path:
    """Returns the jar of MinifiedApp and what it needs of the library."""
    if shutil.which("proguard") is None:
        pytest.skip("proguard not found; install proguard-cli")
    java8_classes(folder / "java8.jar")
    configuration = folder / "app.pro"
    configuration.write_text("\n".join([
        f"-injars {project.classes}(!org/**)", f"-injars {project.tests}(**/MinifiedApp.class)",
        f"-outjars {folder / 'app.jar'}", f"-libraryjars {folder / 'java8.jar'}",
        "-dontwarn org.jspecify.annotations.**", "-dontnote",
        "-keep class dev.tealight.MinifiedApp { void main(java.lang.String[]); }", *rules,
    ]))  # fmt: skip
    done = subprocess.run(["proguard", f"@{configuration}"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return folder / "app.jar"


def run(project: Project, jar: pathlib.Path) -> subprocess.CompletedProcess[str]:
    """Runs the app on its own, without the other classes."""
    command = project.command("dev.tealight.MinifiedApp", str(project.recordings / "float32" / "model.tea"))
    command[command.index("-cp") + 1] = str(jar)
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_minified_app_runs(project, tmp_path):
    done = run(project, minify(project, tmp_path, f"-include {RULES}"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "INFO"  # of the log
    assert lines[1].startswith("second element 4.0") and not lines[1].endswith("TensorInfo")  # it was renamed
    assert lines[2].startswith("WRONG_SHAPE: input 0 'x'")


def test_without_the_rules_it_does_not(project, tmp_path):
    done = run(project, minify(project, tmp_path))
    assert done.returncode != 0 and "Error: " in done.stderr
