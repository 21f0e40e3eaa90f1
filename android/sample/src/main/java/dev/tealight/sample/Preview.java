// SPDX-License-Identifier: Apache-2.0
package dev.tealight.sample;

import android.content.Context;
import android.graphics.SurfaceTexture;
import android.hardware.camera2.CameraAccessException;
import android.hardware.camera2.CameraCaptureSession;
import android.hardware.camera2.CameraCharacteristics;
import android.hardware.camera2.CameraDevice;
import android.hardware.camera2.CameraManager;
import android.hardware.camera2.CaptureRequest;
import android.hardware.camera2.params.StreamConfigurationMap;
import android.util.Log;
import android.util.Size;
import android.view.Surface;
import java.util.Collections;
import org.jspecify.annotations.Nullable;

/** The back camera's picture on a texture, until close(). All of it is the main thread's. */
final class Preview extends CameraDevice.StateCallback implements AutoCloseable {
  private static final String TAG = "tealight";
  private static final int LEAST_PIXELS_A_SIDE = 480;

  private final Surface surface;
  private @Nullable CameraDevice camera;
  private boolean closed;

  private Preview(SurfaceTexture texture) {
    surface = new Surface(texture);
  }

  /** Returns null when there is no camera that can be used. */
  static @Nullable Preview open(Context context, SurfaceTexture texture) {
    CameraManager manager = (CameraManager) context.getSystemService(Context.CAMERA_SERVICE);
    try {
      String id = backCamera(manager);
      if (id == null)
        return null;
      Size size = smallestSize(manager.getCameraCharacteristics(id));
      texture.setDefaultBufferSize(size.getWidth(), size.getHeight());
      Preview preview = new Preview(texture);
      manager.openCamera(id, preview, null);
      return preview;
    } catch (CameraAccessException | SecurityException | IllegalArgumentException e) {
      Log.w(TAG, "camera", e);
      return null;
    }
  }

  @Override
  public void close() {
    closed = true;
    if (camera != null)
      camera.close();
    surface.release();
  }

  @Override
  public void onOpened(CameraDevice opened) {
    if (closed) {
      opened.close();
      return;
    }
    camera = opened;
    try {
      CaptureRequest.Builder request = opened.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW);
      request.addTarget(surface);
      opened.createCaptureSession(Collections.singletonList(surface), new Repeat(request.build()), null);
    } catch (CameraAccessException e) {
      Log.w(TAG, "camera", e);
    }
  }

  @Override
  public void onDisconnected(CameraDevice lost) {
    lost.close();
  }

  @Override
  public void onError(CameraDevice lost, int error) {
    Log.w(TAG, "camera: error " + error);
    lost.close();
  }

  private static @Nullable String backCamera(CameraManager manager) throws CameraAccessException {
    for (String id : manager.getCameraIdList()) {
      Integer facing = manager.getCameraCharacteristics(id).get(CameraCharacteristics.LENS_FACING);
      if (facing != null && facing == CameraCharacteristics.LENS_FACING_BACK)
        return id;
    }
    return null;
  }

  private static Size smallestSize(CameraCharacteristics camera) {
    StreamConfigurationMap map = camera.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP);
    Size best = null;
    for (Size size : map.getOutputSizes(SurfaceTexture.class)) {
      if (Math.min(size.getWidth(), size.getHeight()) < LEAST_PIXELS_A_SIDE)
        continue;
      if (best == null || size.getWidth() * size.getHeight() < best.getWidth() * best.getHeight())
        best = size;
    }
    return best == null ? map.getOutputSizes(SurfaceTexture.class)[0] : best;
  }

  /** Shows one frame after the other. */
  private static final class Repeat extends CameraCaptureSession.StateCallback {
    private final CaptureRequest request;

    Repeat(CaptureRequest request) {
      this.request = request;
    }

    @Override
    public void onConfigured(CameraCaptureSession session) {
      try {
        session.setRepeatingRequest(request, null, null);
      } catch (CameraAccessException | IllegalStateException e) { // closed meanwhile
        Log.w(TAG, "camera", e);
      }
    }

    @Override
    public void onConfigureFailed(CameraCaptureSession session) {
      Log.w(TAG, "camera: not configured");
    }
  }
}
