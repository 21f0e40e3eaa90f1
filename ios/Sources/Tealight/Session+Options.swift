// SPDX-License-Identifier: Apache-2.0
import CTealight

extension Session {
  /// How a session is made. The defaults are right for most apps.
  ///
  /// ```swift
  /// var options = Session.Options(threads: 2)
  /// options.memoryLimit = 64 << 20  // refuse models that need more than 64 MiB for activations
  /// options.profile = true
  /// let session = try Session(Model(contentsOf: URL(fileURLWithPath: "model.tea")), options: options)
  /// try session.run([session.inputs[0].name: Tensor<Float>(repeating: 0, shape: session.inputs[0].fixedShape!)])
  /// for row in try session.profile.prefix(3) { print(row.op, row.name, row.totalTime) }
  /// ```
  public struct Options: Sendable {
    /// A name of ``Model/entryPoints``; nil is the first.
    public var entryPoint: String?
    /// nil: as the power mode says.
    public var threads: Int?
    /// What runs the model.
    public var backend = Backend.automatic
    /// Which cores run it.
    public var powerMode = PowerMode.balanced
    /// One of ``Runtime/isaNames``; nil is the best one. For tests and comparisons: the numbers are the same.
    public var isa: String?
    /// Records times for ``Session/profile``.
    public var profile = false
    /// Bytes for activations and kernels; a session that needs more throws `outOfMemory`. nil: no limit.
    public var memoryLimit: UInt64?
    /// Told, while the session is made, what it chose. The runtime prints nothing itself.
    public var log: (@Sendable (LogLevel, String) -> Void)?

    /// The defaults, but for the number of threads.
    public init(threads: Int? = nil) {
      self.threads = threads
    }
  }

  /// What runs the model.
  public struct Backend: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    public static let automatic = Backend(rawValue: 0)
    public static let cpu = Backend(rawValue: 1)
  }

  /// Which cores run it, where a device has big and little ones.
  public enum PowerMode: UInt32, Sendable {
    /// Big cores; by default at most 4 threads.
    case balanced
    /// Big cores; by default a thread for each.
    case performance
    /// Little cores; by default one thread.
    case saving
  }

  /// How grave a message is.
  public enum LogLevel: Int, Sendable {
    case info, warning, error
  }
}

/// Keeps the closure alive that the runtime calls through a plain pointer.
final class LogBox: Sendable {
  let log: @Sendable (Session.LogLevel, String) -> Void

  init(_ log: @escaping @Sendable (Session.LogLevel, String) -> Void) {
    self.log = log
  }
}

extension Session.Options {
  func entryPointIndex(in model: Model) throws(TealightError) -> Int {
    guard let entryPoint else { return 0 }
    let names = model.entryPoints
    guard let i = names.firstIndex(of: entryPoint) else {
      throw TealightError(.notFound, "entry point '\(entryPoint)': not of this model, expected one of \(names)")
    }
    return i
  }

  func withC(
    entryPoint: Int, log: LogBox?, _ body: (UnsafePointer<tl_session_options>) throws(TealightError) -> Void
  ) throws(TealightError) {
    guard let threads = UInt32(exactly: threads ?? 0) else {
      throw TealightError(.invalidArgument, "session threads: \(threads ?? 0), expected a small positive number")
    }
    var c = tl_session_options()
    tl_session_options_init(&c, MemoryLayout<tl_session_options>.size)
    c.entry_point = entryPoint
    c.threads = threads
    c.backend = tl_backend(rawValue: backend.rawValue)
    c.power_mode = tl_power_mode(rawValue: powerMode.rawValue)
    c.profile = profile ? 1 : 0
    c.memory_limit = memoryLimit ?? 0
    if let log {
      c.log_context = Unmanaged.passUnretained(log).toOpaque()
      c.log = { context, level, text in
        guard let context, let text else { return }
        let level = Session.LogLevel(rawValue: Int(level.rawValue)) ?? .error
        Unmanaged<LogBox>.fromOpaque(context).takeUnretainedValue().log(level, String(cString: text))
      }
    }
    guard let isa else { return try body(&c) }
    let name = Array(isa.utf8CString)  // typed throws do not pass through withCString
    try name.withUnsafeBufferPointer { text throws(TealightError) in
      c.isa = text.baseAddress
      try body(&c)
    }
  }
}
