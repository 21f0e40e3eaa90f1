// SPDX-License-Identifier: Apache-2.0
// Frames of the camera, classified as they come; those that come during a run are dropped.
import AVFoundation
import Logic
import SwiftUI
import Tealight

struct CameraScreen: View {
  @ObservedObject var library: ModelLibrary
  @State private var choice: URL?
  @State private var answer: PictureModel.Answer?
  @State private var message: String?
  @State private var camera = Camera()

  var body: some View {
    VStack {
      ModelPicker(library: library, choice: $choice)
      CameraPreview(session: camera.capture)
        .overlay(BoxesOverlay(answer: answer))
        .aspectRatio(3 / 4, contentMode: .fit)
      AnswerView(answer: answer, message: message)
      Spacer()
    }
    .task(id: choice) {
      guard let choice else { return }
      do {
        let model = try PictureModel(Model(contentsOf: choice))
        for await result in try await camera.answers(of: model) {
          switch result {
          case .success(let found): answer = found
          case .failure(let error): message = error.localizedDescription
          }
        }
      } catch {
        message = error.localizedDescription
      }
    }
  }
}

/// The back camera. Its delegate is called on one queue, which alone touches `model` and `send` while frames come.
final class Camera: NSObject, AVCaptureVideoDataOutputSampleBufferDelegate, @unchecked Sendable {
  typealias Answer = Result<PictureModel.Answer, any Error>

  let capture = AVCaptureSession()
  private let queue = DispatchQueue(label: "dev.tealight.sample.camera")
  private var model: PictureModel?
  private var send: AsyncStream<Answer>.Continuation?

  /// Answers to the frames from now on; ends with its task.
  func answers(of model: PictureModel) async throws -> AsyncStream<Answer> {
    guard await AVCaptureDevice.requestAccess(for: .video) else {
      throw TealightError(.invalidArgument, "camera: access refused, expected leave; see Settings")
    }
    return AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
      continuation.onTermination = { [self] _ in queue.async { self.capture.stopRunning() } }
      queue.async { [self] in
        self.model = model
        send = continuation
        if capture.inputs.isEmpty { configure() }
        capture.startRunning()
      }
    }
  }

  private func configure() {
    guard let device = AVCaptureDevice.default(.builtInWideAngleCamera, for: .video, position: .back),
      let input = try? AVCaptureDeviceInput(device: device)
    else { return }
    capture.beginConfiguration()
    capture.sessionPreset = .vga640x480
    capture.addInput(input)
    let output = AVCaptureVideoDataOutput()
    output.videoSettings = [kCVPixelBufferPixelFormatTypeKey as String: kCVPixelFormatType_32BGRA]
    output.alwaysDiscardsLateVideoFrames = true
    output.setSampleBufferDelegate(self, queue: queue)
    capture.addOutput(output)
    output.connection(with: .video)?.videoOrientation = .portrait
    capture.commitConfiguration()
  }

  func captureOutput(_ output: AVCaptureOutput, didOutput buffer: CMSampleBuffer, from connection: AVCaptureConnection)
  {
    guard let frame = CMSampleBufferGetImageBuffer(buffer), let model else { return }
    send?.yield(Answer { try Pixels.withFrame(frame) { try model.answer($0) } })
  }
}

struct CameraPreview: UIViewRepresentable {
  let session: AVCaptureSession

  final class PreviewView: UIView {
    override class var layerClass: AnyClass { AVCaptureVideoPreviewLayer.self }
  }

  func makeUIView(context: Context) -> PreviewView {
    let view = PreviewView()
    (view.layer as? AVCaptureVideoPreviewLayer)?.session = session
    return view
  }

  func updateUIView(_ view: PreviewView, context: Context) {}
}
