// SPDX-License-Identifier: Apache-2.0
package dev.tealight.sample;

/** What the sample does with a picture, each with a bundle of its own in the assets. */
enum Task {
  CLASSIFY("classify.tea"),
  DETECT("detect.tea");

  /** Key of a task's name in an Intent. */
  static final String EXTRA = "task";

  final String asset;

  Task(String asset) {
    this.asset = asset;
  }
}
