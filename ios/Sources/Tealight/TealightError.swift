// SPDX-License-Identifier: Apache-2.0
import CTealight
import Foundation

/// What went wrong: a code to decide by, and one line for people.
///
/// ```swift
/// do {
///   _ = try Model(contentsOf: URL(fileURLWithPath: "missing.tea"))
/// } catch where error.code == .io {
///   print(error.message)  // names the file, what was found and what was expected
/// }
/// ```
public struct TealightError: Error, Hashable, Sendable {
  /// A code of the runtime; those of newer runtimes, unknown to this package, keep their number.
  public struct Code: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int32

    public init(rawValue: Int32) {
      self.rawValue = rawValue
    }

    // The caller's mistake.
    /// An argument that fits nothing, such as memory that is not aligned.
    public static let invalidArgument = Code(rawValue: 100)
    /// Elements of another type than the model or the caller named.
    public static let wrongDtype = Code(rawValue: 101)
    /// A shape or a length that does not fit.
    public static let wrongShape = Code(rawValue: 102)
    /// A name or index of nothing.
    public static let notFound = Code(rawValue: 103)
    /// A run before every input was bound.
    public static let missingInput = Code(rawValue: 104)
    // The bundle.
    /// A file that cannot be read.
    public static let io = Code(rawValue: 200)
    /// A file that is no bundle, or is damaged.
    public static let invalidBundle = Code(rawValue: 201)
    /// A bundle for a newer runtime.
    public static let unsupportedVersion = Code(rawValue: 202)
    /// An op that this build of the runtime lacks.
    public static let unsupportedOp = Code(rawValue: 203)
    // While running.
    /// No memory, or more needed than the limit in the options.
    public static let outOfMemory = Code(rawValue: 300)
    /// The run was cancelled.
    public static let cancelled = Code(rawValue: 301)
    /// The run took longer than it may.
    public static let deadline = Code(rawValue: 302)
    /// The run failed.
    public static let runtime = Code(rawValue: 303)
    /// Another call on the same session is running.
    public static let busy = Code(rawValue: 304)

    /// The session was closed. The runtime has no such code: a closed session never reaches it.
    public static let closed = Code(rawValue: -1)
  }

  /// What to decide by.
  public let code: Code
  /// `<object>: <what was found>, <what was expected>[; <what to do>]`.
  public let message: String

  /// Makes an error; apps do so in tests.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  init(_ error: tl_error) {
    let text = withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    self.init(Code(rawValue: Int32(bitPattern: error.code.rawValue)), text)
  }

  /// Calls the C API and throws what it reports.
  @inline(__always)
  static func check(_ call: (UnsafeMutablePointer<tl_error>) -> tl_status) throws(TealightError) {
    var error = tl_error()
    guard call(&error) == TL_OK else { throw TealightError(error) }
  }
}

extension TealightError: CustomStringConvertible, LocalizedError {
  public var description: String { "\(message) (\(code))" }
  public var errorDescription: String? { message }
}

extension TealightError.Code: CustomStringConvertible {
  /// The runtime's name, such as "WRONG_SHAPE".
  public var description: String {
    if self == .closed { return "CLOSED" }
    return tl_status_name(tl_status(rawValue: .init(bitPattern: rawValue))).map { String(cString: $0) }
      ?? "code \(rawValue)"
  }
}
