// SPDX-License-Identifier: Apache-2.0
import CTealight

/// What the runtime in this app can do.
///
/// ```swift
/// print(Runtime.version, Runtime.isaNames, Runtime.opNames.count)
/// ```
public enum Runtime {
  /// "major.minor.patch" of the runtime.
  public static var version: String { String(cString: tl_version()) }
  /// The highest bundle format version that it runs.
  public static var formatVersion: Int { Int(tl_format_version()) }
  /// Instruction sets that it holds and this device has, best first.
  public static var isaNames: [String] { names(tl_isa_name) }
  /// Ops in this build.
  public static var opNames: [String] { names(tl_op_name) }

  /// Optional parts of this build, such as "winograd".
  public static var features: [String] { names(tl_feature_name) }

  private static func names(_ name: (Int) -> UnsafePointer<CChar>?) -> [String] {
    var result: [String] = []
    while let text = name(result.count) { result.append(String(cString: text)) }
    return result
  }
}
