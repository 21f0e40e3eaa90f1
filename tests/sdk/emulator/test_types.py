# SPDX-License-Identifier: Apache-2.0
"""Every mistake with an input has a message that names it."""

from __future__ import annotations

import numpy as np
import pytest

from tealight.emulator.types import TensorInfo, check_array, check_names, check_threads
from tealight.errors import RuntimeFailure, TealightError

INFO = TensorInfo("image", np.dtype(np.float32), (1, None, "w", 3))


def test_good_arrays_pass_unchanged():
    x = np.zeros((1, 7, 5, 3), np.float32)
    assert check_array(INFO, x) is x


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((1, 7, 5, 3)), "input 'image': float64, expected float32; use array.astype"),
        (np.zeros((1, 7, 5), np.float32), r"shape \[1, 7, 5\], expected \[1, any, w, 3\]"),
        (np.zeros((2, 7, 5, 3), np.float32), "shape"),
        (object(), "input 'image': object, expected an array of float32"),
    ],
)
def test_bad_arrays(value, message):
    with pytest.raises(RuntimeFailure, match=message):
        check_array(INFO, value)


def test_names():
    check_names({"image": 0}, [INFO])
    with pytest.raises(RuntimeFailure, match=r"input 'imgae': not an input .* did you mean 'image'"):
        check_names({"imgae": 0}, [INFO])
    with pytest.raises(RuntimeFailure, match="input 'image': missing"):
        check_names({}, [INFO])


def test_lists_are_converted():
    assert check_array(TensorInfo("k", np.dtype(np.int64), (2,)), [1, 2]).dtype == np.int64


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", True, 1000])
def test_threads(threads):
    with pytest.raises(TealightError, match=r"threads: .* expected an integer from 1 to 256"):
        check_threads(threads)
