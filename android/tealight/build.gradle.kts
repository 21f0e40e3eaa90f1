// SPDX-License-Identifier: Apache-2.0
// dev.tealight:tealight, an .aar: the Java API, libtealight_jni.so for three ABIs, and tealight.h for an app's own C++
// (prefab: find_package(tealight), tealight::tealight_jni).
plugins {
    id("com.android.library")
    id("maven-publish")
}

group = "dev.tealight"
version = rootProject.extra["tealightVersion"] as String

android {
    namespace = "dev.tealight"
    compileSdk = rootProject.extra["targetSdk"] as Int
    ndkVersion = "28.2.13676358"

    defaultConfig {
        minSdk = rootProject.extra["minSdk"] as Int
        consumerProguardFiles("consumer-rules.pro")
        ndk {
            abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64")
        }
        externalNativeBuild {
            cmake {
                // As the android-* presets of native/CMakePresets.json. The runtime links nothing of the C++ library, so
                // an app may use any.
                arguments(
                    "-DCMAKE_BUILD_TYPE=Release",
                    "-DANDROID_STL=none",
                    "-DANDROID_ARM_NEON=ON",
                )
                targets("tealight_jni")
            }
        }
    }

    externalNativeBuild {
        cmake {
            path = file("../../native/CMakeLists.txt")
            version = "3.22.1"
        }
    }

    sourceSets["main"].java.setSrcDirs(listOf("src/main/java", "src/android/java"))

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }

    buildFeatures {
        prefabPublishing = true
    }

    prefab {
        create("tealight_jni") {
            headers = "../../native/include"
        }
    }

    publishing {
        singleVariant("release") {
            withSourcesJar()
            withJavadocJar()
        }
    }
}

dependencies {
    api("org.jspecify:jspecify:1.0.0") // what may be null, for the compilers of apps
}

publishing {
    publications {
        register<MavenPublication>("release") {
            artifactId = "tealight"
            afterEvaluate { from(components["release"]) }
            pom {
                name = "Tealight"
                description = "On-device inference: one compact bundle, every phone, the same numbers"
                licenses {
                    license {
                        name = "Apache-2.0"
                    }
                }
            }
        }
    }
}
