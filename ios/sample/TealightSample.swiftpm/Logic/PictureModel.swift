// SPDX-License-Identifier: Apache-2.0
import Foundation
import Tealight

/// A model of pictures and what it says of one: classes, or boxes where its outputs have their form.
///
/// One caller at a time, as its session; a call during a run throws `busy`.
public final class PictureModel: Sendable {
  public enum Answer: Equatable, Sendable {
    /// The likeliest first, at most five.
    case classes([Guess])
    /// The surest first.
    case boxes([Box])
  }

  public struct Guess: Equatable, Sendable, Identifiable {
    public let id: Int
    public let name: String
    public let score: Float
  }

  public let session: Session
  private let image: ImageInput

  public init(_ model: Model, options: Session.Options = .init()) throws {
    guard let image = model.images.first else {
      throw TealightError(.invalidArgument, "model: no input is a picture, expected one; build it with image=")
    }
    guard model.inputs().count == 1 else {
      throw TealightError(.invalidArgument, "model: \(model.inputs().count) inputs, expected the picture alone")
    }
    self.image = image
    session = try Session(model, options: options)
  }

  /// Says what the picture shows, on the calling thread: for a queue of the camera.
  public func answer(_ pixels: Pixels) throws -> Answer {
    try session.withUnsafeMutableInput(image.name, as: Float.self) { try image.fill($0, from: pixels) }
    try session.run()
    return try readAnswer()
  }

  /// Says what the picture shows; ends when the task is cancelled.
  public func answer(_ picture: Tensor<Float>) async throws -> Answer {
    try await session.run([image.name: picture])
    return try readAnswer()
  }

  /// How a picture becomes the input of the variant that awaits.
  public var input: ImageInput { image }

  private func readAnswer() throws -> Answer {
    let names = session.outputs.map(\.name)
    if names.count == 2 {
      let outputs = try names.map { try session.output($0, as: Float.self) }
      if let boxes = findBoxes(outputs) { return .boxes(boxes) }
    }
    let labels = session.model.labels(of: names[0])
    let guesses = try session.withUnsafeOutput(names[0], as: Float.self) { scores in
      likeliest(probabilities(scores), count: 5).map { i, score in
        Guess(id: i, name: i < labels.count ? labels[i] : "class \(i)", score: score)
      }
    }
    return .classes(guesses)
  }
}

/// Scores as they are where they are probabilities, else their softmax.
func probabilities(_ scores: some Collection<Float>) -> [Float] {
  let sum = scores.reduce(0, +)
  if scores.allSatisfy({ $0 >= 0 && $0 <= 1 }) && abs(sum - 1) < 0.01 { return Array(scores) }
  let most = scores.max() ?? 0
  let powers = scores.map { exp($0 - most) }
  let total = powers.reduce(0, +)
  return powers.map { $0 / total }
}

func likeliest(_ scores: [Float], count: Int) -> [(Int, Float)] {
  scores.enumerated().sorted { $0.element > $1.element }.prefix(count).map { ($0.offset, $0.element) }
}
