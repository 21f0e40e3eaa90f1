# SPDX-License-Identifier: Apache-2.0
# For the release archive of tools/build_xcframework: the XCFramework and the Swift sources over it.
Pod::Spec.new do |s|
  s.name = "Tealight"
  s.version = "0.1.0"
  s.summary = "On-device inference: one compact bundle, every phone, the same numbers"
  s.homepage = "https://tealight.dev"
  s.license = { type: "Apache-2.0", file: "LICENSE" }
  s.author = "Tealight"
  s.source = { http: "https://tealight.dev/releases/Tealight-#{s.version}.zip" }
  s.ios.deployment_target = "16.0"
  s.osx.deployment_target = "13.0"
  s.swift_version = "6.0"
  s.source_files = "Sources/Tealight/**/*.swift"
  s.resource_bundles = { "TealightPrivacy" => ["Sources/Tealight/PrivacyInfo.xcprivacy"] }
  s.vendored_frameworks = "TealightRuntime.xcframework"
  s.preserve_paths = "Sources/CTealight/**/*"
  s.pod_target_xcconfig = { "SWIFT_INCLUDE_PATHS" => "$(PODS_TARGET_SRCROOT)/Sources/CTealight" }
end
