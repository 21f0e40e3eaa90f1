# SPDX-License-Identifier: Apache-2.0
"""Mach-O: objects and archives that clang makes for Apple's systems, dynamic libraries by hand, and damage."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess

import pytest
from sdk.doctor.libraries import INFO, SOURCE
from sdk.doctor.xcframeworks import dylib, fat

from tealight.doctor import build_info, macho
from tealight.errors import TealightError

TARGETS = {
    "arm64-apple-ios15": ("arm64", "ios"),
    "arm64-apple-ios15-simulator": ("arm64", "ios simulator"),
    "x86_64-apple-ios15-simulator": ("x86_64", "ios simulator"),
    "arm64-apple-macos13": ("arm64", "macos"),
}


def compiled(folder, target):
    """Compiles the source of a small runtime for an Apple system."""
    if shutil.which("clang-19") is None:
        pytest.skip("clang-19 is not installed; tools/test installs it")
    source, path = folder / "x.c", folder / f"{target}.o"
    source.write_text(SOURCE.format(info=INFO, extra=""))
    subprocess.run(["clang-19", f"--target={target}", "-c", str(source), "-o", str(path)], check=True)
    return path


def archived(folder, target):
    """Returns a static library."""
    path = folder / f"{target}.a"
    subprocess.run(["llvm-ar-19", "--format=darwin", "rcs", str(path), str(compiled(folder, target))], check=True)
    return path


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("make", [compiled, archived])
def test_arch_and_platform(tmp_path, target, make):
    data = make(tmp_path, target).read_bytes()
    (image,) = macho.read(data, "x")
    assert (image.arch, image.platform) == TARGETS[target] and not image.is_dynamic
    assert build_info.find(data, "x").ops == {"reshape", "transpose"}


def test_fat_archives(tmp_path):
    parts = [archived(tmp_path, t) for t in list(TARGETS)[1:3]]
    subprocess.run(["llvm-lipo-19", "-create", *map(str, parts), "-output", str(tmp_path / "fat.a")], check=True)
    images = macho.read((tmp_path / "fat.a").read_bytes(), "x")
    assert {(i.arch, i.platform) for i in images} == {("arm64", "ios simulator"), ("x86_64", "ios simulator")}


def test_exports_of_a_dynamic_library():
    (image,) = macho.read(dylib("_tl_version", "-_private", "_other"), "x")
    assert image == macho.Image("arm64", "ios", True, ("_other", "_tl_version"))


GOOD = fat(dylib("_tl_version", "_tl_b"), dylib("_tl_c", platform="ios simulator"))


def test_truncation_is_an_error():
    for size in range(len(GOOD)):
        with pytest.raises(TealightError):
            macho.read(GOOD[:size], "x")


def test_damage_gives_an_error_or_images():
    rng, refused = random.Random(3), 0
    for _ in range(5000):
        data = bytearray(GOOD)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0xFF, rng.randrange(256)))
        try:
            macho.read(bytes(data), "x")
        except TealightError:
            refused += 1
    assert refused > 1000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x7fELF" + bytes(60), "begins with"),
        (struct.pack(">II", 0xCAFEBABE, 99), "99 slices"),
        (b"!<arch>\n", "without Mach-O objects"),
        (b"!<arch>\n" + b"x" * 60, "member at byte 8 with header"),
        (b"!<arch>\n" + b"x".ljust(48) + b"9999".ljust(10) + b"`\n", "member at byte 68 of 9999 bytes"),
        (fat(fat(dylib("_tl_a"))), "begins with"),
    ],
)
def test_every_rule(data, message):
    with pytest.raises(TealightError, match=message):
        macho.read(data, "x")
