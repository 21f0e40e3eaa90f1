// SPDX-License-Identifier: Apache-2.0

/**
 * Runs Tealight bundles ({@code .tea} files) on Android and on desktop JVMs: load a {@link
 * dev.tealight.Model}, make a {@link dev.tealight.Session}, run it on {@link dev.tealight.Tensor}s.
 *
 * <p>Needs Java 8 language features and nothing of android.*; classes that do are in
 * dev.tealight.android. Nothing is null unless marked so.
 */
@NullMarked package dev.tealight;

import org.jspecify.annotations.NullMarked;
