// SPDX-License-Identifier: Apache-2.0
import Logic
import PhotosUI
import SwiftUI
import Tealight

struct PhotoScreen: View {
  private struct Selection: Equatable {
    let model: URL?
    let item: PhotosPickerItem?
  }

  @ObservedObject var library: ModelLibrary
  @State private var choice: URL?
  @State private var item: PhotosPickerItem?
  @State private var photo: UIImage?
  @State private var answer: PictureModel.Answer?
  @State private var message: String?

  var body: some View {
    VStack {
      ModelPicker(library: library, choice: $choice)
      PhotosPicker("Choose a photo", selection: $item, matching: .images)
      if let photo {
        Image(uiImage: photo).resizable().scaledToFit().overlay(BoxesOverlay(answer: answer))
      }
      AnswerView(answer: answer, message: message)
      Spacer()
    }
    .task(id: Selection(model: choice, item: item)) {
      guard let choice, let item else { return }
      do {
        guard let data = try await item.loadTransferable(type: Data.self), let picture = UIImage(data: data) else {
          return
        }
        let upright = UIGraphicsImageRenderer(size: picture.size).image { _ in picture.draw(at: .zero) }
        photo = upright
        guard let pixels = upright.cgImage else { return }
        let model = try PictureModel(Model(contentsOf: choice))
        answer = nil
        answer = try await model.answer(model.input.tensor(from: pixels))
      } catch {
        message = error.localizedDescription
      }
    }
  }
}
