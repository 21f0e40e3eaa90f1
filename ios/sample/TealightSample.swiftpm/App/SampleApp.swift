// SPDX-License-Identifier: Apache-2.0
import Logic
import SwiftUI
import Tealight
import UniformTypeIdentifiers

@main
struct SampleApp: App {
  @StateObject private var library = ModelLibrary()

  var body: some Scene {
    WindowGroup {
      TabView {
        CameraScreen(library: library).tabItem { Label("Camera", systemImage: "camera") }
        PhotoScreen(library: library).tabItem { Label("Photo", systemImage: "photo") }
        BenchmarkScreen(library: library).tabItem { Label("Benchmark", systemImage: "stopwatch") }
      }
    }
  }
}

/// The bundles at hand: those inside the app, and those that its user opened.
@MainActor
final class ModelLibrary: ObservableObject {
  @Published private(set) var models: [URL]

  init() {
    let inside = Bundle.main.urls(forResourcesWithExtension: "tea", subdirectory: nil) ?? []
    let opened =
      (try? FileManager.default.contentsOfDirectory(at: .documentsDirectory, includingPropertiesForKeys: nil)) ?? []
    models = inside + opened.filter { $0.pathExtension == "tea" }
  }

  /// Copies a file into the app, since a mapped file must stay.
  func add(_ file: URL) throws {
    let target = URL.documentsDirectory.appending(path: file.lastPathComponent)
    let isScoped = file.startAccessingSecurityScopedResource()
    defer { if isScoped { file.stopAccessingSecurityScopedResource() } }
    if !FileManager.default.fileExists(atPath: target.path()) { try FileManager.default.copyItem(at: file, to: target) }
    if !models.contains(target) { models.append(target) }
  }
}

/// Chooses a bundle, and opens further ones.
struct ModelPicker: View {
  @ObservedObject var library: ModelLibrary
  @Binding var choice: URL?
  @State private var isOpening = false

  var body: some View {
    Menu(choice?.deletingPathExtension().lastPathComponent ?? "Choose a model") {
      ForEach(library.models, id: \.self) { url in
        Button(url.deletingPathExtension().lastPathComponent) { choice = url }
      }
      Button("Open…") { isOpening = true }
    }
    .fileImporter(isPresented: $isOpening, allowedContentTypes: [.data]) { result in
      guard let url = try? result.get(), (try? library.add(url)) != nil else { return }
      choice = library.models.last
    }
  }
}

/// What a model says: a list of classes, or boxes over the picture.
struct AnswerView: View {
  let answer: PictureModel.Answer?
  let message: String?

  var body: some View {
    switch answer {
    case .classes(let guesses):
      VStack(alignment: .leading) {
        ForEach(guesses) { guess in
          HStack {
            Text(guess.name)
            Spacer()
            Text(guess.score, format: .percent.precision(.fractionLength(1)))
          }
        }
      }
      .padding()
    case .boxes(let boxes): Text("\(boxes.count) found").padding()
    case nil: Text(message ?? "").padding()
    }
  }
}

/// Draws boxes over a picture that fills the view.
struct BoxesOverlay: View {
  let answer: PictureModel.Answer?

  var body: some View {
    Canvas { context, size in
      guard case .boxes(let boxes) = answer else { return }
      for box in boxes {
        let corner = CGPoint(x: CGFloat(box.left) * size.width, y: CGFloat(box.top) * size.height)
        let extent = CGSize(
          width: CGFloat(box.right - box.left) * size.width, height: CGFloat(box.bottom - box.top) * size.height)
        context.stroke(Path(CGRect(origin: corner, size: extent)), with: .color(.teal), lineWidth: 3)
      }
    }
  }
}
