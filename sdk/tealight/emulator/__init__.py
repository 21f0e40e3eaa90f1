# SPDX-License-Identifier: Apache-2.0
"""Runs a bundle on the desktop; reads only the bundle."""
