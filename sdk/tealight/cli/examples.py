# SPDX-License-Identifier: Apache-2.0
"""What people type: shown below the help of each command."""

from __future__ import annotations

#: Command -> (what for, command line).
EXAMPLES: dict[str, list[tuple[str, str]]] = {
    "": [
        ("from a model to an answer", "tealight build net.onnx"),
        ("", "tealight run net.tea photo.jpg"),
        ("the same, to look at", "tealight serve net.tea --open"),
    ],
    "build": [
        ("float32, as the source", "tealight build net.onnx -o net.tea"),
        ("a picture model with names for its classes", "tealight build net.onnx --image mean=127.5,scale=0.00784 "
         "--labels labels.txt"),
        ("int8, a quarter of the size", "tealight build net.onnx --recipe static_wi8_ai8 --calibration pictures/"),
        ("as small as half a point of accuracy allows", "tealight build net.onnx --recipe auto "
         "--calibration pictures/ --data test.npz --metric top1 --max-drop 0.5"),
    ],
    "run": [
        ("on a picture", "tealight run net.tea photo.jpg"),
        ("several inputs", "tealight run net.tea --input x=x.npy --input state=state.npy -o out.npz"),
        ("on an emulated phone", "tealight run net.tea photo.jpg --device cortex-a53"),
        ("without data", "tealight run net.tea --random"),
    ],
    "serve": [
        ("one model", "tealight serve net.tea --open"),
        ("two, to compare", "tealight serve net.tea net_int8.tea"),
    ],
    "inspect": [("with the time of each instruction", "tealight inspect net.tea --time")],
    "compare": [
        ("each layer against the source model", "tealight compare net.onnx net.tea photo.jpg"),
        ("each layer against the NumPy reference", "tealight compare - net.tea"),
    ],
    "diff": [("what a recipe changed", "tealight diff net.tea net_int8.tea")],
    "report": [("with what quantization costs", "tealight report net_int8.tea photo.jpg --model net.onnx")],
    "bench": [
        ("two threads", "tealight bench net.tea --threads 2"),
        ("on the phone that is connected", "tealight bench net.tea --adb"),
    ],
    "verify": [("a file from elsewhere", "tealight verify net.tea")],
    "explain": [
        ("one part of a model", "tealight explain net.tea --node head"),
        ("what each pass does to a source model", "tealight explain net.onnx"),
    ],
    "eval": [
        ("float against int8, here and on a phone", "tealight eval net.onnx net_int8.tea --data test.npz "
         "--engine native --engine cortex-a53"),
        ("recipes side by side", "tealight eval net.onnx --data test.npz --recipe float16 --recipe static_wi8_ai8 "
         "--calibration pictures/"),
    ],
    "doctor": [("an app before it is released", "tealight doctor app-release.apk net.tea --strict")],
}  # fmt: skip


def text(command: str) -> str:
    """Returns the examples of a command as they are shown."""
    lines = []
    for reason, line in EXAMPLES.get(command, []):
        lines += [f"  # {reason}"] * bool(reason) + [f"  {line}"]
    return "examples:\n" + "\n".join(lines) if lines else ""
