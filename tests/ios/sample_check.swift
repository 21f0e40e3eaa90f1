// SPDX-License-Identifier: Apache-2.0
// Runs the sample app's logic on the recorded pictures; arguments: the folder of the test data. Prints JSON.
import Foundation
import Tealight

@main struct Check {
  static func main() async throws {
    let folder = CommandLine.arguments[1]
    let cat = try pixels("\(folder)/classification/pixels0.npy")
    let classifier = try PictureModel(Model(path: "\(folder)/classification/model.tea"))
    guard case .classes(let guesses) = try answer(classifier, cat, 224, 224) else { fatalError("no classes") }
    let picture: Tensor<Float> = try cat.withUnsafeBytes {
      try classifier.input.tensor(from: Pixels($0, width: 224, height: 224, format: .rgb))
    }
    let awaited = try await classifier.answer(picture)
    precondition(awaited == .classes(guesses))
    let faces = try pixels("\(folder)/faces/pixels0.npy")
    let detector = try PictureModel(Model(path: "\(folder)/faces/model.tea"))
    guard case .boxes(let boxes) = try answer(detector, faces, 320, 240) else { fatalError("no boxes") }
    let benchmark = try await Benchmark.measure(Model(path: "\(folder)/word/model.tea"), runs: 5)
    let report: [String: Any] = [
      "guesses": guesses.map { ["id": $0.id, "name": $0.name, "score": $0.score] as [String: Any] },
      "boxes": boxes.map { [$0.left, $0.top, $0.right, $0.bottom, $0.score] },
      "parts": benchmark.rows.map(\.part),
      "median": benchmark.median / .milliseconds(1),
      "slowest": benchmark.slowest / .milliseconds(1),
      "refused": refusal("\(folder)/word/model.tea"),
    ]
    print(String(decoding: try JSONSerialization.data(withJSONObject: report), as: UTF8.self))
  }

  static func answer(_ model: PictureModel, _ bytes: Data, _ width: Int, _ height: Int) throws -> PictureModel.Answer {
    try bytes.withUnsafeBytes { try model.answer(Pixels($0, width: width, height: height, format: .rgb)) }
  }

  static func refusal(_ path: String) -> String {
    do {
      _ = try PictureModel(Model(path: path))
      return ""
    } catch {
      return "\(error)"
    }
  }

  /// The elements of an .npy file of bytes.
  static func pixels(_ path: String) throws -> Data {
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    return data.dropFirst(10 + Int(data[8]) + Int(data[9]) << 8)
  }
}
