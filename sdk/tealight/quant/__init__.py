# SPDX-License-Identifier: Apache-2.0
"""Quantization: numerics.py defines rounding; the other files choose and write scales."""
