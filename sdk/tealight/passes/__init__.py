# SPDX-License-Identifier: Apache-2.0
"""Graph-to-graph rewrites; pipeline.py is their order."""
