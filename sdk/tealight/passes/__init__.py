# SPDX-License-Identifier: Apache-2.0
"""Graph rewrites, one file each; pipeline.py is the order in which they run."""
