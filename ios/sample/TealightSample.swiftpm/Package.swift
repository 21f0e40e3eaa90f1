// swift-tools-version: 6.0
// SPDX-License-Identifier: Apache-2.0
// An app package: open the folder in Xcode.
import AppleProductTypes
import PackageDescription

let package = Package(
  name: "TealightSample",
  platforms: [.iOS("16.0")],
  products: [
    .iOSApplication(
      name: "Tealight",
      targets: ["App"],
      bundleIdentifier: "dev.tealight.sample",
      displayVersion: "0.1",
      bundleVersion: "1",
      appIcon: .placeholder(icon: .leaf),
      accentColor: .presetColor(.teal),
      supportedDeviceFamilies: [.phone, .pad],
      supportedInterfaceOrientations: [.portrait],
      capabilities: [.camera(purposeString: "The camera's pictures are classified on this device.")])
  ],
  dependencies: [.package(path: "../..")],
  targets: [
    .target(name: "Logic", dependencies: [.product(name: "Tealight", package: "ios")], path: "Logic"),
    .executableTarget(
      name: "App", dependencies: ["Logic", .product(name: "Tealight", package: "ios")], path: "App"),
  ],
  swiftLanguageModes: [.v6]
)
