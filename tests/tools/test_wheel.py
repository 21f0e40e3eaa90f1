# SPDX-License-Identifier: Apache-2.0
"""The wheel: built from the source tree, unpacked elsewhere, it builds and runs a model and needs only what it says."""

import importlib.metadata
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = "mobilenet_v1_0.25_128/mobilenet_v1_0.25_128_float.onnx"
SCRIPT = """
import sys
import tealight
from tealight.data import inputs
assert tealight.__file__.startswith(sys.argv[1]), tealight.__file__
tealight.build(sys.argv[2], "m.tea")
with tealight.Session("m.tea") as session:
    outputs = session.run(inputs.fill(session.inputs, {}))
assert [a.shape for a in outputs.values()] == [(1, 1001)], outputs
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""


def source_tree(folder: pathlib.Path) -> pathlib.Path:
    """Copies the files that git knows or would add: what a clean clone holds."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)
    return folder


def declared(wheel: pathlib.Path) -> set[str]:
    """Returns the names of the packages that the wheel requires, and of what those require."""
    with zipfile.ZipFile(wheel) as z:
        (metadata,) = (n for n in z.namelist() if n.endswith(".dist-info/METADATA"))
        lines = z.read(metadata).decode().split("\n\n")[0].splitlines()
    todo = [line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist: ")]
    done: set[str] = set()
    while todo:
        text = todo.pop()
        name = re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", text)[0]).lower()
        if "extra ==" in text or name in done:
            continue
        done.add(name)
        try:
            todo += importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # a requirement of another system or Python
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> pathlib.Path:
    if importlib.util.find_spec("scikit_build_core") is None:
        pytest.skip("scikit-build-core not installed")
    tree = source_tree(tmp_path_factory.mktemp("tree"))
    stale = tree / "sdk" / "tealight" / "_native"  # what a build in the tree leaves there must not travel
    stale.mkdir(parents=True)
    (stale / "tealight.h").write_text("stale")
    (stale / "leftover.so").write_text("stale")
    out = tree / "dist"
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", out, tree]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return next(out.glob("*.whl"))


@pytest.mark.slow
def test_holds_the_package_the_library_and_the_schema(wheel):
    with zipfile.ZipFile(wheel) as z:
        names = {n for n in z.namelist() if ".dist-info/" not in n}
        assert z.read("tealight/_native/tealight.h") == (ROOT / "native" / "include" / "tealight.h").read_bytes()
    sources = ROOT / "sdk" / "tealight"
    page = {f"tealight/serve/{p.name}" for p in (sources / "serve").iterdir() if p.suffix in (".html", ".css", ".js")}
    assert len(page) >= 3
    assert {n for n in names if not n.endswith((".py", ".typed", ".md"))} == page | {
        "tealight/_native/libtealight.so", "tealight/_native/tealight.h", "tealight/bundle/_schema/bundle.bfbs",
    }  # fmt: skip
    assert {n for n in names if n.endswith(".py")} == {
        f"tealight/{p.relative_to(sources)}" for p in sources.rglob("*.py")
    }
    assert re.search(r"-py3-none-(linux|manylinux)\w*\.whl$", wheel.name)


@pytest.mark.slow
def test_builds_and_runs_a_model_away_from_the_source(wheel, assets, tmp_path):
    site = tmp_path / "site"
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "-t", site, wheel], check=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")} | {"PYTHONPATH": str(site)}
    run = dict(cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    done = subprocess.run([sys.executable, "-c", SCRIPT, site, assets / MODEL], **run)
    assert done.returncode == 0, done.stdout + done.stderr
    known = importlib.metadata.packages_distributions()
    needed = {re.sub(r"[-_.]+", "-", d).lower() for n in done.stdout.split() for d in known.get(n, [])}
    assert needed - {"tealight", "pip", "setuptools"} <= declared(wheel)
    helped = subprocess.run([site / "bin" / "tealight", "--help"], **run)
    assert helped.returncode == 0, helped.stderr
    assert all(command in helped.stdout for command in ("build", "run", "inspect", "compare", "verify"))
