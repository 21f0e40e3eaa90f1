# SPDX-License-Identifier: Apache-2.0
"""Data for calibration and evaluation: files, folders and sets of samples."""
