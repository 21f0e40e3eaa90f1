// SPDX-License-Identifier: Apache-2.0

/**
 * What of the API touches android.*: bundles in the app's assets, {@link android.graphics.Bitmap} as input. Nothing is
 * null unless marked so.
 */
@NullMarked package dev.tealight.android;

import org.jspecify.annotations.NullMarked;
