// swift-tools-version: 6.0
// SPDX-License-Identifier: Apache-2.0
// On Apple systems the runtime is the XCFramework that tools/build_xcframework makes; on Linux it is libtealight.so,
// found by -Xlinker -L and -rpath (see README.md).
import PackageDescription

#if os(macOS)
let runtime: [Target] = [.binaryTarget(name: "TealightRuntime", path: "TealightRuntime.xcframework")]
#else
let runtime: [Target] = []
#endif

let package = Package(
  name: "Tealight",
  platforms: [.iOS(.v16), .macOS(.v13)],
  products: [.library(name: "Tealight", targets: ["Tealight"])],
  targets: runtime + [
    .systemLibrary(name: "CTealight"),
    .target(
      name: "Tealight",
      dependencies: ["CTealight"] + runtime.map { .target(name: $0.name) },
      linkerSettings: [.linkedLibrary("tealight", .when(platforms: [.linux]))]),
    .testTarget(name: "TealightTests", dependencies: ["Tealight"]),
    .executableTarget(name: "probe", dependencies: ["Tealight", "CTealight"], path: "Tests/Probe"),
  ],
  swiftLanguageModes: [.v6]
)
