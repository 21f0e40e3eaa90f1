# SPDX-License-Identifier: Apache-2.0
"""The structure is checked, not promised: include directions, ISA isolation, a test for every module."""

from __future__ import annotations

import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
NATIVE = ROOT / "native"

#: folder -> folders whose headers it may include (its own is always allowed).
ALLOWED = {
    "include": set(),
    "base": {"include"},
    "kernels": {"base"},
    "bundle": {"base", "include"},
    "runtime": {"base", "bundle", "include"},
    "backends": {"base", "bundle", "kernels", "runtime"},
    "api": {"base", "bundle", "runtime", "include"},
}
SOURCES = sorted(p for folder in ALLOWED for p in (NATIVE / folder).rglob("*") if p.suffix in (".h", ".cc", ".inc"))


def includes(path: pathlib.Path, form: str) -> list[str]:
    """Returns what a file includes: form is '"' or '<'."""
    pattern = r'^\s*#\s*include\s+"([^"]+)"' if form == '"' else r"^\s*#\s*include\s+<([^>]+)>"
    return re.findall(pattern, path.read_text(), flags=re.M)


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(NATIVE)))
def test_includes_point_down(path):
    folder = path.relative_to(NATIVE).parts[0]
    for name in includes(path, '"'):
        target = name.split("/")[0]
        if "_generated.h" in name:
            assert path == NATIVE / "bundle" / "schema.h", f"{name}: only bundle/schema.h includes generated code"
        elif "/" in name and target in ALLOWED:
            assert target == folder or target in ALLOWED[folder], f"{name} from {folder}/"


STD_CONTAINERS = {
    "vector",
    "string",
    "map",
    "algorithm",
    "memory",
    "functional",
    "iostream",
    "sstream",
    "thread",
    "mutex",
}


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(NATIVE)))
def test_runtime_uses_no_library_that_allocates_or_throws(path):
    assert not STD_CONTAINERS & set(includes(path, "<"))


@pytest.mark.parametrize(
    "path", sorted((NATIVE / "kernels").rglob("generic*.h")), ids=lambda p: str(p.relative_to(NATIVE))
)
def test_kernel_bodies_live_in_a_namespace_of_their_isa(path):
    # Two files with the same template, built for different ISAs, would be merged by the linker otherwise.
    assert re.search(r"namespace TL_ISA\b", path.read_text())


def test_every_python_module_has_its_test():
    package = ROOT / "sdk" / "tealight"
    missing = []
    for module in sorted(package.rglob("*.py")):
        relative = module.relative_to(package)
        if module.name.startswith("_") or relative.parts[0] in ("ops", "_native") or "_schema" in relative.parts:
            continue  # ops are tested by tests/parity from their own cases
        folder = ROOT / "tests" / "sdk" / relative.parent
        names = {f"test_{module.stem}.py", f"test_{relative.parent.name}.py"}
        if not any((folder / n).exists() or (folder.parent / n).exists() for n in names):
            missing.append(str(relative))
    assert not missing, f"modules without a test: {missing}"


def tracked() -> list[pathlib.Path]:
    """Returns the files under version control; the test is skipped in a tree without one."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("no git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_merge_was_left_half_done():
    marks = re.compile(rb"^(<{7} |>{7} )", flags=re.M)
    assert [str(p.relative_to(ROOT)) for p in tracked() if marks.search(p.read_bytes())] == []


def test_shell_scripts_parse():
    scripts = [p for p in tracked() if p.suffix == ".sh" or p.read_bytes().startswith(b"#!/usr/bin/env bash")]
    assert scripts
    for script in scripts:
        done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
