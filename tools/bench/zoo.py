# SPDX-License-Identifier: Apache-2.0
"""The benchmark's own models: six small PyTorch definitions with seeded weights, one per kind of phone workload.

    python tools/bench/zoo.py FOLDER [NAME ...]

writes NAME.onnx, NAME.npz (in_i, ref_i, calib_k_i) and models.json. Weights do not matter for speed; BatchNorm
statistics come from a few forward passes, so activations keep a realistic range.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

SEED = 7
CALIBRATION = 8


def conv_bn(
    i: int, o: int, k: int = 3, s: int = 1, groups: int = 1, act: type[nn.Module] | None = nn.ReLU6
) -> nn.Module:
    """Returns Conv2d + BatchNorm2d + activation, "same" padding."""
    layers: list[nn.Module] = [nn.Conv2d(i, o, k, s, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o)]
    return nn.Sequential(*layers, act()) if act else nn.Sequential(*layers)


class InvertedResidual(nn.Module):
    """MobileNetV2's block (arXiv:1801.04381, table 1)."""

    def __init__(self, i: int, o: int, s: int, expand: int) -> None:
        super().__init__()
        h = i * expand
        first = [conv_bn(i, h, 1)] if expand != 1 else []
        self.body = nn.Sequential(*first, conv_bn(h, h, 3, s, h), conv_bn(h, o, 1, act=None))
        self.residual = s == 1 and i == o

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        return x + y if self.residual else y


class ResidualBlock(nn.Module):
    """ResNet's basic block (arXiv:1512.03385)."""

    def __init__(self, i: int, o: int, s: int) -> None:
        super().__init__()
        self.a, self.b = conv_bn(i, o, 3, s, act=nn.ReLU), conv_bn(o, o, act=None)
        self.skip = nn.Identity() if s == 1 and i == o else conv_bn(i, o, 1, s, act=None)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.b(self.a(x)) + self.skip(x))


class Detector(nn.Module):
    """A SiLU backbone with a two-level feature pyramid and raw heads."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Sequential(
            conv_bn(3, 16, 3, 2, act=nn.SiLU), conv_bn(16, 32, 3, 2, act=nn.SiLU), conv_bn(32, 64, 3, 2, act=nn.SiLU)
        )
        self.b = nn.Sequential(conv_bn(64, 128, 3, 2, act=nn.SiLU), conv_bn(128, 128, act=nn.SiLU))
        self.pool = nn.MaxPool2d(5, 1, 2)
        self.mix = conv_bn(192 + 128, 64, 1, act=nn.SiLU)
        self.heads = nn.ModuleList([nn.Conv2d(64, 85, 1), nn.Conv2d(128, 85, 1)])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        p3 = self.a(x)
        p4 = self.b(p3)
        up = functional.interpolate(torch.cat([p4, self.pool(p4)], 1), scale_factor=2.0, mode="nearest")
        return self.heads[0](self.mix(torch.cat([up, p3], 1))), self.heads[1](p4)


class Encoder(nn.Module):
    """A post-norm transformer encoder over token ids: 4 layers, width 256, 4 heads, 128 tokens."""

    def __init__(
        self, vocabulary: int = 8000, width: int = 256, layers: int = 4, heads: int = 4, tokens: int = 128
    ) -> None:
        super().__init__()
        self.embed, self.heads = nn.Embedding(vocabulary, width), heads
        self.position = nn.Parameter(torch.randn(1, tokens, width) * 0.02)
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "qkv": nn.Linear(width, 3 * width), "out": nn.Linear(width, width), "n1": nn.LayerNorm(width),
                    "up": nn.Linear(width, 4 * width), "down": nn.Linear(4 * width, width), "n2": nn.LayerNorm(width),
                }
            )
            for _ in range(layers)
        )  # fmt: skip

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids) + self.position
        b, t, d = x.shape
        for layer in self.layers:
            q, k, v = (
                z.reshape(b, t, self.heads, d // self.heads).transpose(1, 2) for z in layer["qkv"](x).chunk(3, -1)
            )
            weights = torch.softmax(q @ k.transpose(-1, -2) * (d // self.heads) ** -0.5, -1)
            x = layer["n1"](x + layer["out"]((weights @ v).transpose(1, 2).reshape(b, t, d)))
            x = layer["n2"](x + layer["down"](functional.gelu(layer["up"](x))))
        return x


class LastStepLstm(nn.Module):
    """Two LSTM layers over 50 frames of 40 features, classified from the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(40, 128, 2, batch_first=True), nn.Linear(128, 12)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0][:, -1])


def mobilenet() -> nn.Module:
    """MobileNetV2 at 224."""
    layers, i = [conv_bn(3, 32, 3, 2)], 32
    for expand, o, n, s in [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]:
        for j in range(n):
            layers.append(InvertedResidual(i, o, s if j == 0 else 1, expand))
            i = o
    return nn.Sequential(*layers, conv_bn(320, 1280, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000))


def resnet() -> nn.Module:
    """ResNet-10 at 224."""
    layers: list[nn.Module] = [conv_bn(3, 64, 7, 2, act=nn.ReLU), nn.MaxPool2d(3, 2, 1)]
    for i, o, s in [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]:
        layers.append(ResidualBlock(i, o, s))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000))


def keyword_spotter() -> nn.Module:
    """A depthwise-separable keyword spotter (arXiv:1711.07128, DS-CNN small)."""
    layers: list[nn.Module] = [nn.Conv2d(1, 64, (10, 4), 2, (5, 1)), nn.BatchNorm2d(64), nn.ReLU()]
    for _ in range(4):
        layers += [conv_bn(64, 64, 3, 1, 64, nn.ReLU), conv_bn(64, 64, 1, act=nn.ReLU)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 12))


#: name -> (definition, input shape, dtype, kind)
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], type, str]] = {
    "mobilenet": (mobilenet, (1, 3, 224, 224), np.float32, "cnn"),
    "resnet": (resnet, (1, 3, 224, 224), np.float32, "cnn"),
    "detector": (Detector, (1, 3, 320, 320), np.float32, "cnn"),
    "encoder": (Encoder, (1, 128), np.int64, "transformer"),
    "lstm": (LastStepLstm, (1, 50, 40), np.float32, "rnn"),
    "keywords": (keyword_spotter, (1, 1, 49, 10), np.float32, "cnn"),
}


def build(name: str) -> tuple[nn.Module, Tensor]:
    """Returns the module in eval mode and its input."""
    make, shape, dtype, _ = MODELS[name]
    torch.manual_seed(SEED)
    module = make()
    rng = np.random.default_rng(SEED)
    if dtype is np.int64:
        return module.eval(), torch.from_numpy(rng.integers(0, 8000, shape))
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = None
        module.train()
        for _ in range(3):
            module(torch.from_numpy(rng.standard_normal((4, *shape[1:]), np.float32)))
    return module.eval(), torch.from_numpy(rng.standard_normal(shape, np.float32))


def calibration(name: str, k: int) -> np.ndarray:
    """Returns calibration sample k of a model."""
    _, shape, dtype, _ = MODELS[name]
    rng = np.random.default_rng(1000 * SEED + k)
    return rng.integers(0, 8000, shape) if dtype is np.int64 else rng.standard_normal(shape, np.float32)


def export(folder: pathlib.Path, name: str) -> dict[str, object]:
    """Writes one model; returns its row of models.json."""
    module, x = build(name)
    with torch.no_grad():
        results = module(x)
    refs = [r.numpy() for r in (results if isinstance(results, tuple) else (results,))]
    outputs = [f"output{i}" for i in range(len(refs))]
    torch.onnx.export(
        module, (x,), folder / f"{name}.onnx", input_names=["input"], output_names=outputs, opset_version=18,
        dynamo=True, external_data=False, verbose=False,
    )  # fmt: skip
    arrays = {f"calib_{k}_0": calibration(name, k) for k in range(CALIBRATION)}
    np.savez(folder / f"{name}.npz", in_0=x.numpy(), **arrays, **{f"ref_{i}": r for i, r in enumerate(refs)})
    image = x.ndim == 4
    return {
        "onnx": f"{name}.onnx", "data": f"{name}.npz", "family": MODELS[name][3], "n_calib": CALIBRATION,
        "inputs": [{"name": "input", "shape": list(x.shape), "dtype": str(x.numpy().dtype)}],
        "outputs": [{"name": n, "shape": list(r.shape)} for n, r in zip(outputs, refs, strict=True)],
        "nhwc_in": [0] if image else [], "nhwc_out": [i for i, r in enumerate(refs) if r.ndim == 4],
    }  # fmt: skip


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    rows = {name: export(folder, name) for name in sys.argv[2:] or MODELS}
    (folder / "models.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
