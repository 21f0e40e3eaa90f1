// SPDX-License-Identifier: Apache-2.0
// Boxes of decoded SSD detectors: [1, n, 4] corners in parts of the picture and [1, n, c] scores, background first.
import Tealight

/// A thing in a picture; the corners are parts of it, 0 to 1.
public struct Box: Equatable, Sendable {
  public let left: Float
  public let top: Float
  public let right: Float
  public let bottom: Float
  public let kind: Int
  public let score: Float

  var area: Float { max(0, right - left) * max(0, bottom - top) }

  /// The shared area as a part of both together.
  func overlap(_ other: Box) -> Float {
    let width = min(right, other.right) - max(left, other.left)
    let height = min(bottom, other.bottom) - max(top, other.top)
    let shared = max(0, width) * max(0, height)
    return shared == 0 ? 0 : shared / (area + other.area - shared)
  }
}

/// Returns the boxes of at least `score`, without those that overlap a better one of their kind; nil where the outputs
/// have another form.
func findBoxes(_ outputs: [Tensor<Float>], score least: Float = 0.5, overlap most: Float = 0.45) -> [Box]? {
  guard let corners = outputs.first(where: { $0.shape.last == 4 }),
    let scores = outputs.first(where: { $0.shape.last != 4 }), let kinds = scores.shape.last,
    corners.shape.count == 3, scores.shape.count == 3, corners.shape[1] == scores.shape[1], kinds >= 2
  else { return nil }
  let places = corners.scalars, table = scores.scalars
  var found: [Box] = []
  for i in 0..<corners.shape[1] {
    let row = table[i * kinds + 1..<(i + 1) * kinds]  // 0 is the background
    guard let best = row.indices.max(by: { row[$0] < row[$1] }), row[best] >= least else { continue }
    let place = places[4 * i..<4 * i + 4].map { $0 }
    found.append(
      Box(left: place[0], top: place[1], right: place[2], bottom: place[3], kind: best - i * kinds, score: row[best]))
  }
  found.sort { $0.score > $1.score }
  var kept: [Box] = []
  for box in found where !kept.contains(where: { $0.kind == box.kind && $0.overlap(box) > most }) { kept.append(box) }
  return kept
}
