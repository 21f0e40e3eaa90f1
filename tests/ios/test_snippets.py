# SPDX-License-Identifier: Apache-2.0
"""Every piece of Swift in ios/README.md, the DocC pages and the doc comments compiles and runs."""

from __future__ import annotations

import json
import pathlib
import re
import shutil

import pytest
from ios.swift_build import PACKAGE, ROOT, SCRATCH, compile_with_package, run

FENCE = re.compile(r"^```swift\n(.*?)^```", re.M | re.S)
FILES = [
    PACKAGE / "README.md",
    *sorted((PACKAGE / "Sources" / "Tealight").rglob("*.md")),
    *sorted((PACKAGE / "Sources" / "Tealight").rglob("*.swift")),
]


def snippets(path: pathlib.Path) -> list[str]:
    """Returns the pieces of Swift in a page, or in a source file's doc comments."""
    text = path.read_text()
    if path.suffix == ".swift":
        lines = [line.strip() for line in text.splitlines()]
        text = "\n".join(line[4:] if line.startswith("///") else "" for line in lines)
    return FENCE.findall(text)


SNIPPETS = {f"{path.stem}{i}": text for path in FILES for i, text in enumerate(snippets(path))}


def program(pieces: dict[str, str]) -> str:
    """Returns a program that runs the piece that its argument names."""
    lines = [line for text in pieces.values() for line in text.splitlines()]
    imports = sorted({line for line in lines if line.startswith("import ")} | {"import Foundation", "import Tealight"})
    functions, cases = [], []
    for i, (name, text) in enumerate(pieces.items()):
        body = [f"  {line}" for line in text.splitlines() if not line.startswith("import ")]
        waits = "await " in text  # `run` means another one in an async function
        functions += [f"func piece{i}() {'async ' * waits}throws {{", *body, "}", ""]
        cases.append(f'case "{name}": try {"await " * waits}piece{i}()')
    switch = ["switch CommandLine.arguments[1] {", *cases, 'default: fatalError("no such piece")', "}"]
    entry = ["@main struct Main {", "static func main() async throws {", *switch, "}", "}", ""]
    return "\n".join([*imports, "", *functions, *entry])


def test_the_first_result_takes_fewer_than_15_lines():
    assert len(snippets(PACKAGE / "README.md")[0].splitlines()) < 15


def test_public_types_have_an_example():
    shown = "\n".join(SNIPPETS.values())
    for name in ("Model(", "Session(", "Tensor<", "Runtime.", "error.code", "Pixels("):
        assert name in shown


@pytest.fixture(scope="module")
def pieces(package, data, environment, tmp_path_factory) -> pathlib.Path:
    """Compiles all of them and lays out the files that they name."""
    folder = tmp_path_factory.mktemp("snippets")
    (folder / "snippets.swift").write_text(program(SNIPPETS))
    compile_with_package(environment, folder / "snippets", folder / "snippets.swift")
    for name in ("model", "classifier"):
        shutil.copy(data / "classification" / "model.tea", folder / f"{name}.tea")
    return folder


@pytest.mark.slow
@pytest.mark.xdist_group("swift")
@pytest.mark.parametrize("name", SNIPPETS)
def test_snippet_runs(name, pieces, environment):
    run(environment, pieces / "snippets", name, cwd=pieces, timeout=60)


@pytest.mark.slow
@pytest.mark.xdist_group("swift")
def test_documentation_builds_without_warnings(package, environment, tmp_path):
    module_map = PACKAGE / "Sources" / "CTealight" / "module.modulemap"
    target = json.loads(run(environment, "swiftc", "-print-target-info"))["target"]["unversionedTriple"]
    run(
        environment, "swift-symbolgraph-extract", "-module-name", "Tealight", "-I", SCRATCH / "release" / "Modules",
        "-Xcc", f"-fmodule-map-file={module_map}", "-target", target, "-output-dir", tmp_path,
    )  # fmt: skip
    run(
        environment, "docc", "convert", PACKAGE / "Sources" / "Tealight" / "Tealight.docc", "--warnings-as-errors",
        "--additional-symbol-graph-dir", tmp_path, "--fallback-display-name", "Tealight",
        "--fallback-bundle-identifier", "dev.tealight.Tealight", "--output-path", tmp_path / "documentation",
    )  # fmt: skip


def test_files_that_the_readme_names_exist():
    for name in re.findall(r"`((?:tools|tests|ios|native)/[\w./-]+)`", (PACKAGE / "README.md").read_text()):
        if not name.startswith("ios/TealightRuntime"):
            assert (ROOT / name).exists(), name
