// SPDX-License-Identifier: Apache-2.0
// The sample app. Put the bundles classify.tea and detect.tea into src/main/assets first (README.md says how to make them).
plugins {
    id("com.android.application")
}

android {
    namespace = "dev.tealight.sample"
    compileSdk = rootProject.extra["targetSdk"] as Int

    defaultConfig {
        applicationId = "dev.tealight.sample"
        minSdk = rootProject.extra["minSdk"] as Int
        targetSdk = rootProject.extra["targetSdk"] as Int
        versionCode = 1
        versionName = rootProject.extra["tealightVersion"] as String
    }

    androidResources {
        noCompress += "tea" // stored as it is, a bundle is mapped from the .apk
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
}

dependencies {
    implementation(project(":tealight"))
}
