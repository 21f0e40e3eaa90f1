# SPDX-License-Identifier: Apache-2.0
"""Accuracy on labelled data: metrics, and the loop that measures models side by side."""
