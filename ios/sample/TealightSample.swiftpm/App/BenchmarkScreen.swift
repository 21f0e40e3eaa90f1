// SPDX-License-Identifier: Apache-2.0
import Logic
import SwiftUI
import Tealight

struct BenchmarkScreen: View {
  @ObservedObject var library: ModelLibrary
  @State private var choice: URL?
  @State private var threads = 1
  @State private var result: Benchmark?
  @State private var message: String?

  var body: some View {
    VStack(alignment: .leading) {
      ModelPicker(library: library, choice: $choice)
      Stepper("Threads: \(threads)", value: $threads, in: 1...8)
      if let result {
        Text("Median \(result.median.formatted(.units(allowed: [.milliseconds], fractionalPart: .show(length: 2))))")
        Text("Slowest \(result.slowest.formatted(.units(allowed: [.milliseconds], fractionalPart: .show(length: 2))))")
        Text("Memory \((result.memory.arenaBytes + result.memory.scratchBytes) / 1024) KiB")
        List(result.rows) { row in
          HStack {
            Text(row.op)
            Text(row.name).foregroundStyle(.secondary)
            Spacer()
            Text(row.part, format: .percent.precision(.fractionLength(1)))
          }
        }
      }
      Text(message ?? "")
      Spacer()
    }
    .padding()
    .task(id: [choice?.path(), String(threads)]) {
      guard let choice else { return }
      do {
        result = try await Benchmark.measure(Model(contentsOf: choice), options: .init(threads: threads))
      } catch {
        message = error.localizedDescription
      }
    }
  }
}
