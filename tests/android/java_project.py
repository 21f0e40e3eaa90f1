# SPDX-License-Identifier: Apache-2.0
"""Compiles and runs the Java classes on a desktop JVM; skips where a tool or library is missing."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "android" / "tealight" / "src"
JARS = [pathlib.Path("/usr/share/java") / name for name in ("junit4.jar", "hamcrest.jar")]


def sources(folder: pathlib.Path) -> list[str]:
    """Returns the Java files below a folder."""
    return [str(p) for p in sorted(folder.rglob("*.java"))]


def java_home() -> pathlib.Path:
    """Returns the folder of the JDK, or skips the test."""
    javac = shutil.which("javac")
    if javac is None or not all(jar.exists() for jar in JARS):
        pytest.skip("java: javac or JUnit 4 not found; install openjdk-17-jdk-headless, junit4 and libhamcrest-java")
    return pathlib.Path(javac).resolve().parents[1]


def native_library(build: str) -> pathlib.Path:
    """Returns libtealight_jni.so of a build, or skips the test."""
    library = ROOT / "build" / build / "libtealight_jni.so"
    if not library.exists():
        pytest.skip(f"build/{build}/libtealight_jni.so is not built; tools/test builds it")
    return library


def compile_java(files: Sequence[str], classes: pathlib.Path, path: Sequence[pathlib.Path] = (), lint: str = "all"):
    """Compiles for Java 8; every warning is an error."""
    command = [
        "javac",
        "--release",
        "8",
        f"-Xlint:{lint},-options",
        "-Werror",
        "-encoding",
        "UTF-8",
        "-d",
        str(classes),
    ]
    command += ["-classpath", ":".join(map(str, path))] if path else []
    done = subprocess.run([*command, *files], capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]


@dataclasses.dataclass(frozen=True)
class Project:
    """The compiled classes and what their tests read."""

    classes: pathlib.Path
    tests: pathlib.Path
    recordings: pathlib.Path

    def command(self, main: str, *arguments: str, build: str = "host", flags: Sequence[str] = ()) -> list[str]:
        """Returns the command that runs a class with CheckJNI on the library of a build."""
        path = [self.classes, self.tests, *JARS]
        return [
            "java", "-Xcheck:jni", "-ea", "-Xmx512m", "-XX:MaxDirectMemorySize=512m", "-XX:+UseSerialGC",
            "-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8", f"-Djava.library.path={native_library(build).parent}",
            f"-Dtealight.recordings={self.recordings}", *flags, "-cp", ":".join(map(str, path)), main, *arguments,
        ]  # fmt: skip

    def run(
        self,
        main: str,
        *arguments: str,
        build: str = "host",
        flags: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> str:
        """Runs a class to its end and returns what it printed; CheckJNI must have nothing to say."""
        command = self.command(main, *arguments, build=build, flags=flags)
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env=environment, cwd=self.recordings
        )
        text = done.stdout + done.stderr
        assert done.returncode == 0, text[-6000:]
        assert "in native method" not in text, text[-6000:]
        return text
