# SPDX-License-Identifier: Apache-2.0
"""What of the Android packaging can be checked without Android's SDK: sources against android.jar, the Gradle files."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import tomllib

import pytest
from android.class_files import ClassFile, Library, parse
from android.java_project import SOURCE, compile_java, sources

ROOT = pathlib.Path(__file__).resolve().parents[2]
ANDROID = ROOT / "android"
ANDROID_JAR = ROOT / "build" / "android" / "android.jar"

#: Class -> the API level that it needs, where that is newer than minSdk: loaded only where the phone has it.
NEWER_CLASSES = {
    "dev/tealight/SessionFutures": 24,
    "dev/tealight/SessionFutures$RunFuture": 24,
}


@pytest.fixture(scope="module")
def android_jar() -> pathlib.Path:
    if shutil.which("javac") is None:
        pytest.skip("javac not found; install openjdk-17-jdk-headless")
    if not ANDROID_JAR.exists():
        pytest.skip("build/android/android.jar is not there; tools/test unpacks it")
    return ANDROID_JAR


@pytest.fixture(scope="module")
def classes(android_jar, tmp_path_factory) -> dict[str, ClassFile]:
    """The library's classes by name, compiled as Gradle would but against API 23."""
    folder = tmp_path_factory.mktemp("android")
    compile_java(sources(SOURCE / "stubs"), folder / "stubs")
    files = [*sources(SOURCE / "main" / "java"), *sources(SOURCE / "android" / "java")]
    compile_java(files, folder / "classes", [folder / "stubs", android_jar])
    found = [parse(p.read_bytes()) for p in sorted((folder / "classes").rglob("*.class"))]
    return {c.name: c for c in found}


@pytest.mark.slow
def test_nothing_newer_than_min_sdk_is_called(classes, android_jar):
    """The JDK's own java.* hides what a phone lacks; and dx, unlike Gradle's D8, has no replacement for lambdas."""
    assert not [c.name for c in classes.values() if c.lambdas]
    platform = Library(str(android_jar))
    faults = []
    for found in classes.values():
        for owner, name, descriptor in found.uses:
            if not owner.startswith("[") and not platform.has(owner, name, descriptor, classes):
                faults.append((found.name, owner, name))
    assert {fault[0] for fault in faults} == set(NEWER_CLASSES), faults


def gradle(path: str) -> str:
    return (ANDROID / path).read_text()


def test_gradle_names_files_that_are_there():
    text = gradle("tealight/build.gradle.kts")
    paths = re.findall(r'(?:file|consumerProguardFiles|headers =)\s*\(?"([^"]+)"', text)
    paths += re.search(r"setSrcDirs\(listOf\(([^)]*)\)\)", text)[1].replace('"', "").split(", ")
    assert len(paths) == 5
    assert not [p for p in paths if not (ANDROID / "tealight" / p).exists()]
    for module in re.findall(r'":(\w+)"', gradle("settings.gradle.kts")):
        assert (ANDROID / module / "build.gradle.kts").exists()
        assert (ANDROID / module / "src" / "main" / "AndroidManifest.xml").exists()


def test_gradle_builds_what_the_cmake_presets_build():
    presets = json.loads((ROOT / "native" / "CMakePresets.json").read_text())["configurePresets"]
    wanted, abis = {"CMAKE_BUILD_TYPE": "Release"}, set()
    for preset in presets:
        if preset["name"].startswith("android-"):
            wanted |= preset["cacheVariables"]
            abis.add(preset["cacheVariables"]["ANDROID_ABI"])
    text = gradle("tealight/build.gradle.kts")
    given = dict(re.findall(r'"-D(\w+)=([^"]+)"', text))
    assert given == {k: v for k, v in wanted.items() if k not in ("ANDROID_ABI", "ANDROID_PLATFORM")}
    assert set(re.search(r"abiFilters \+= listOf\(([^)]*)\)", text)[1].replace('"', "").split(", ")) == abis
    level = re.search(r'extra\["minSdk"\] = (\d+)', gradle("build.gradle.kts"))[1]
    assert wanted["ANDROID_PLATFORM"] == f"android-{level}"
    assert f"API {level}" in (ROOT / "tools" / "setup" / "setup.sh").read_text()


def test_cmake_knows_the_targets_and_aligns_for_16_kib_pages():
    cmake = "".join(p.read_text() for p in (ROOT / "native").rglob("CMakeLists.txt"))
    cmake += (SOURCE / "main" / "cpp" / "CMakeLists.txt").read_text()
    text = gradle("tealight/build.gradle.kts")
    (target,) = re.findall(r'targets\("(\w+)"\)', text)
    assert f"add_library({target} SHARED" in cmake
    assert f'create("{target}")' in text  # prefab
    assert f'loadLibrary("{target}")' in "".join(p.read_text() for p in (SOURCE / "main").rglob("*.java"))
    assert "-Wl,-z,max-page-size=16384" in (ROOT / "native" / "cmake" / "compiler.cmake").read_text()


def test_gradle_reads_the_version_of_the_project():
    pattern = re.search(r'Regex\("(.*)"\)\.find', gradle("build.gradle.kts"))[1].replace('\\"', '"')
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(pattern, (ROOT / "pyproject.toml").read_text())[1] == version
    assert f"VERSION {version} " in (ROOT / "native" / "CMakeLists.txt").read_text()


def test_library_manifest_asks_for_the_dsp_but_does_not_require_it():
    text = gradle("tealight/src/main/AndroidManifest.xml")
    assert re.search(r'<uses-native-library\s+android:name="libcdsprpc.so"\s+android:required="false"', text)
