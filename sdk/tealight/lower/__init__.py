# SPDX-License-Identifier: Apache-2.0
"""ir.Graph to bundle contents: layout, memory plan, packing."""
