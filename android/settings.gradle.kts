// SPDX-License-Identifier: Apache-2.0
// The library (:tealight) and the sample app (:sample). Open this folder in Android Studio, or: gradle :sample:assembleDebug
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

include(":tealight", ":sample")
