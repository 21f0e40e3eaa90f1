# SPDX-License-Identifier: Apache-2.0
"""The Java classes on a desktop JVM with -Xcheck:jni: JUnit tests on real models, examples, memory, many threads."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import pytest
from android.java_project import ROOT, SOURCE, compile_java, sources

JUNIT = "org.junit.runner.JUnitCore"
CLASSES = SOURCE / "main" / "java" / "dev" / "tealight"
TESTS = sorted(p.stem for p in (SOURCE / "test" / "java").rglob("*Test.java"))

#: One worker compiles the classes and records the models.
pytestmark = pytest.mark.xdist_group("java")


@pytest.mark.slow
@pytest.mark.parametrize("name", TESTS)
def test_junit(project, name):
    assert "OK (" in project.run(JUNIT, f"dev.tealight.{name}")


def examples() -> dict[str, str]:
    """Returns the example of each public class: the first code block of its comment."""
    found = {}
    for path in map(pathlib.Path, sources(CLASSES)):
        declaration = re.search(r"^public (?:final )?(?:class|enum|interface) (\w+)", path.read_text(), flags=re.M)
        if declaration is not None:
            block = re.search(r"<pre>\{@code\n(.*?)\n \* \}</pre>", path.read_text()[: declaration.start()], flags=re.S)
            assert block is not None, f"{path.name}: no example, expected one in the comment of the class"
            found[declaration[1]] = re.sub(r"^ \* ?", "    ", block[1], flags=re.M)
    return found


@pytest.mark.slow
def test_examples_of_all_classes_run(project, tmp_path):
    imports = ["dev.tealight.*", "java.io.*", "java.nio.*", "java.util.*", "java.util.concurrent.*"]
    for name, code in examples().items():
        (tmp_path / f"{name}Example.java").write_text(
            "".join(f"import {i};\n" for i in imports)
            + f"public class {name}Example {{\n  static void run() throws Exception {{\n{code}\n  }}\n}}\n"
        )
    calls = "".join(f'    System.out.println("# {name}");\n    {name}Example.run();\n' for name in examples())
    (tmp_path / "Examples.java").write_text(
        "public class Examples {\n  public static void main(String[] arguments) throws Exception {\n"
        + calls
        + "  }\n}\n"
    )
    compile_java(sources(tmp_path), project.tests, [project.classes], lint="all,-try")
    (project.recordings / "model.tea").write_bytes((project.recordings / "classification" / "model.tea").read_bytes())
    printed = project.run("Examples")
    assert all(re.search(rf"^# {name}\n[^#\s]", printed, flags=re.M) for name in examples()), printed


@pytest.mark.slow
def test_runs_into_own_tensors_allocate_next_to_nothing(project, tmp_path):
    counter = tmp_path / "count.so"
    source = ROOT / "tests" / "models" / "count_allocations.c"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", counter, source], check=True)
    names = ["float32", "word", "classification", "faces", "open_batch"]
    environment = {**os.environ, "LD_PRELOAD": str(counter)}
    # Compiled code can only save objects, and the compiler would allocate on the counted thread.
    printed = project.run("dev.tealight.Allocations", str(counter), *names, flags=["-Xint"], environment=environment)
    rows = {name: numbers for name, *numbers in map(str.split, printed.splitlines())}
    assert int(rows.pop("control")[0]) > 0
    assert list(rows) == names
    assert {name: float(calls) for name, (calls, _) in rows.items()} == dict.fromkeys(names, 0.0)
    # One object per run, and the shape of each output that only the run knows.
    assert {
        name: float(size) <= (128 if name == "open_batch" else 64) for name, (_, size) in rows.items()
    } == dict.fromkeys(names, True)


def sanitizer(library: str) -> str:
    """Returns the path of gcc's sanitizer library."""
    return subprocess.run(
        ["gcc", f"-print-file-name={library}"], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.slow
def test_threads_that_run_close_and_cancel_at_random(project):
    seconds = int(os.environ.get("TEALIGHT_STRESS_SECONDS", "15"))
    environment = {
        **os.environ,
        "LD_PRELOAD": sanitizer("libasan.so"),
        "ASAN_OPTIONS": "handle_segv=0:detect_leaks=1",  # the JVM uses SIGSEGV itself
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
        # At the end nothing of ours may live; what the JVM leaks is its own, and its guarded stacks cannot be read.
        "LSAN_OPTIONS": "exitcode=0:use_stacks=0:use_registers=0:use_tls=0",
    }
    printed = project.run(
        "dev.tealight.Stress", str(seconds), "8", "1", build="asan", environment=environment, timeout=seconds + 240
    )
    assert "native objects left: 0" in printed
    assert "LeakSanitizer: detected memory leaks" in printed, "expected the leak check to have run"
    assert not re.search(r"^ +#1 .*/(native|android)/.*$", printed, flags=re.M), (
        "our code lost memory:\n" + printed[-6000:]
    )
