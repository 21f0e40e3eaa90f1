# SPDX-License-Identifier: Apache-2.0
"""The errors form one tree and say where they happened."""

import pytest

import tealight
from tealight import errors

NAMES = ["ImportModelError", "UnsupportedOpError", "VerifyError", "QuantizeError", "BundleError", "RuntimeFailure"]


@pytest.mark.parametrize("name", NAMES)
def test_every_error_is_public_and_a_tealight_error(name):
    kind = getattr(errors, name)
    assert issubclass(kind, errors.TealightError) and getattr(tealight, name) is kind


def test_unsupported_ops_are_import_errors():
    assert issubclass(errors.UnsupportedOpError, errors.ImportModelError)


def test_errors_carry_their_node():
    e = errors.VerifyError("conv2d 'a': 3, expected 4", node="a", op="conv2d")
    assert (str(e), e.node, e.op) == ("conv2d 'a': 3, expected 4", "a", "conv2d")
