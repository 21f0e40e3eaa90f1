// SPDX-License-Identifier: Apache-2.0
// The library (:tealight). Open this folder in Android Studio, or: gradle :tealight:assembleRelease
pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositoriesMode.set(RepositoriesMode.FAIL_ON_PROJECT_REPOS)
    repositories {
        google()
        mavenCentral()
    }
}

rootProject.name = "tealight-android"

include(":tealight")
