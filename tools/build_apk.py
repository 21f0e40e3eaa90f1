# SPDX-License-Identifier: Apache-2.0
"""Makes the signed sample .apk from javac, dx, aapt and apksigner, without Gradle and Android's SDK.

    python tools/build_apk.py OUT.apk --classify A.tea [--detect B.tea] [--library libtealight_jni.so]

What differs from Gradle's: one ABI, a library for glibc unless --library names another, a debug key made on the spot,
and the API level of dx.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
ANDROID = ROOT / "android"
JARS = ROOT / "build" / "android"
ABI = "arm64-v8a"
PAGE_BYTES = 16384
#: Written by zipalign and kept by apksigner: "the data of this entry begins at a multiple of the given number".
ALIGNMENT_EXTRA = 0xD935
PASSWORD = "tealight"


def run(*command: object, **options: object) -> str:
    """Runs a tool and returns what it printed."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **options)  # type: ignore[call-overload]
    if done.returncode:
        sys.exit(f"{pathlib.Path(str(command[0])).name}: failed, expected success\n{done.stdout}{done.stderr}")
    return str(done.stdout)


def level(name: str) -> str:
    """Returns minSdk or targetSdk of the Gradle project."""
    found = re.search(rf'extra\["{name}"\] = (\d+)', (ANDROID / "build.gradle.kts").read_text())
    assert found, name
    return found[1]


def version() -> str:
    """Returns the project's version."""
    found = re.search(r'(?m)^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text())
    assert found
    return found[1]


def compile_java(folders: list[pathlib.Path], classes: pathlib.Path, *class_path: pathlib.Path) -> None:
    """Compiles all sources of the folders against android.jar."""
    sources = sorted(str(f) for folder in folders for f in folder.rglob("*.java"))
    jars = ":".join(map(str, (*class_path, JARS / "android.jar")))
    run("javac", "--release", "8", "-encoding", "UTF-8", "-Xlint:all,-options", "-Werror", "-cp", jars, "-d", classes,
        *sources)  # fmt: skip


def app_manifest() -> str:
    """Returns the manifest as Gradle would merge it from the sample's and the library's, in terms of API 23."""
    app = (ANDROID / "sample/src/main/AndroidManifest.xml").read_text()
    library = (ANDROID / "tealight/src/main/AndroidManifest.xml").read_text()
    entries = re.search(r"<application>\n(.*?)\s*</application>", library, re.S)
    assert entries
    app = app.replace("</application>", f"{entries[1].strip()}\n    </application>")
    app = re.sub(
        r'android:dataExtractionRules="[^"]*"', 'android:extractNativeLibs="false"', app
    )  # the first is of API 31
    return app.replace("<manifest ", '<manifest package="dev.tealight.sample" android:versionCode="1" '
                       f'android:versionName="{version()}" ')  # fmt: skip


def add(archive: zipfile.ZipFile, name: str, data: bytes, alignment: int = 0) -> None:
    """Adds an entry: compressed, or as it is with its data beginning at a multiple of alignment."""
    info = zipfile.ZipInfo(name, (1981, 1, 1, 1, 1, 2))
    info.external_attr = 0o644 << 16
    info.compress_type = zipfile.ZIP_STORED if alignment else zipfile.ZIP_DEFLATED
    if alignment:
        assert archive.fp
        padding = -(archive.fp.tell() + 30 + len(name.encode()) + 6) % alignment
        info.extra = struct.pack("<HHH", ALIGNMENT_EXTRA, 2 + padding, alignment) + bytes(padding)
    archive.writestr(info, data)


def assemble(resources: pathlib.Path, out: pathlib.Path, files: dict[str, pathlib.Path]) -> None:
    """Copies aapt's archive and adds the files; what is mapped as it is (libraries, bundles) begins on a page."""
    with zipfile.ZipFile(resources) as source, zipfile.ZipFile(out, "w") as target:
        for info in source.infolist():
            add(target, info.filename, source.read(info), 4 if info.compress_type == zipfile.ZIP_STORED else 0)
        for name, path in files.items():
            add(target, name, path.read_bytes(), PAGE_BYTES if path.suffix in (".so", ".tea") else 0)


def debug_key() -> pathlib.Path:
    """Returns a key store with a key for this machine alone."""
    store = JARS / "debug.keystore"
    if not store.exists():
        run("keytool", "-genkeypair", "-keystore", store, "-storepass", PASSWORD, "-alias", "debug", "-keyalg", "RSA",
            "-keysize", "2048", "-validity", "10000", "-dname", "CN=Tealight debug")  # fmt: skip
    return store


def build(out: pathlib.Path, bundles: dict[str, pathlib.Path], library: pathlib.Path, work: pathlib.Path) -> None:
    """Makes the .apk.

    Args:
        out: Where to put it.
        bundles: Name in the app's assets -> file.
        library: libtealight_jni.so for arm64.
        work: An empty folder.
    """
    sample, api = ANDROID / "sample/src/main", ANDROID / "tealight/src"
    for folder in ("generated", "stubs", "classes"):
        (work / folder).mkdir()
    (work / "AndroidManifest.xml").write_text(app_manifest())
    run("aapt", "package", "-f", "-m", "-M", work / "AndroidManifest.xml", "-S", sample / "res",
        "-I", JARS / "android.jar", "-J", work / "generated", "-F", work / "resources.zip",
        "--min-sdk-version", level("minSdk"), "--target-sdk-version", level("targetSdk"))  # fmt: skip
    compile_java([api / "stubs/java", ANDROID / "sample/src/stubs/java"], work / "stubs")
    compile_java([api / "main/java", api / "android/java", sample / "java", work / "generated"], work / "classes",
                 work / "stubs")  # fmt: skip
    run("java", "-cp", JARS / "dx.jar", "com.android.dx.command.Main", "--dex", f"--min-sdk-version={level('minSdk')}",
        f"--output={work / 'classes.dex'}", work / "classes")  # fmt: skip
    run("aarch64-linux-gnu-strip", "-o", work / library.name, library)
    files = {"classes.dex": work / "classes.dex", f"lib/{ABI}/{library.name}": work / library.name}
    assemble(work / "resources.zip", work / "aligned.apk", files | {f"assets/{k}": v for k, v in bundles.items()})
    run("zipalign", "-c", "-p", "4", work / "aligned.apk")
    run("apksigner", "sign", "--ks", debug_key(), "--ks-pass", f"pass:{PASSWORD}", "--out", work / "signed.apk",
        work / "aligned.apk")  # fmt: skip
    run("apksigner", "verify", "--min-sdk-version", level("minSdk"), work / "signed.apk")
    shutil.copyfile(work / "signed.apk", out)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Makes the Android sample app without Android's SDK.")
    parser.add_argument("out", type=pathlib.Path, metavar="OUT.apk")
    parser.add_argument("--classify", type=pathlib.Path, required=True, help="bundle of a classifier with labels")
    parser.add_argument("--detect", type=pathlib.Path, help="bundle of a detector (see android/README.md)")
    parser.add_argument("--library", type=pathlib.Path, default=ROOT / "build/arm64/libtealight_jni.so")
    arguments = parser.parse_args()
    bundles = {f"{k}.tea": getattr(arguments, k) for k in ("classify", "detect") if getattr(arguments, k)}
    for path in (*bundles.values(), arguments.library):
        if not path.is_file():
            parser.error(f"'{path}': not found, expected a file")
    with tempfile.TemporaryDirectory() as work:
        build(arguments.out, bundles, arguments.library, pathlib.Path(work))
    print(f"{arguments.out}: {arguments.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
