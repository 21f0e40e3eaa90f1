// swift-tools-version: 6.0
// SPDX-License-Identifier: Apache-2.0
// On Apple systems the runtime is the XCFramework that tools/build_xcframework makes; on Linux it is libtealight.so,
// found by -Xlinker -L and -rpath (see README.md).
import Foundation
import PackageDescription

#if os(macOS)
let runtime: [Target] = [.binaryTarget(name: "TealightRuntime", path: "TealightRuntime.xcframework")]
let privacy: [Resource] = [.copy("PrivacyInfo.xcprivacy")]
#else
let runtime: [Target] = []
let privacy: [Resource] = []
#endif
// Releases have no tests.
let tests: [Target] =
  FileManager.default.fileExists(atPath: Context.packageDirectory + "/Tests")
  ? [
    .testTarget(name: "TealightTests", dependencies: ["Tealight"]),
    .executableTarget(name: "probe", dependencies: ["Tealight", "CTealight"], path: "Tests/Probe"),
  ] : []

let package = Package(
  name: "Tealight",
  platforms: [.iOS(.v16), .macOS(.v13)],
  products: [.library(name: "Tealight", targets: ["Tealight"])],
  targets: runtime + tests + [
    .systemLibrary(name: "CTealight"),
    .target(
      name: "Tealight",
      dependencies: ["CTealight"] + runtime.map { .target(name: $0.name) },
      exclude: privacy.isEmpty ? ["PrivacyInfo.xcprivacy"] : [],
      resources: privacy,
      linkerSettings: [.linkedLibrary("tealight", .when(platforms: [.linux]))]),
  ],
  swiftLanguageModes: [.v6]
)
