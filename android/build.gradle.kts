// SPDX-License-Identifier: Apache-2.0
// What both modules share: the plugins' version, the SDK levels, and the project's one version number.
plugins {
    id("com.android.library") version "8.13.0" apply false
    id("com.android.application") version "8.13.0" apply false
}

val pyproject = rootDir.resolve("../pyproject.toml").readText()

extra["tealightVersion"] = Regex("(?m)^version = \"([^\"]+)\"").find(pyproject)!!.groupValues[1]
extra["minSdk"] = 23
extra["targetSdk"] = 36
