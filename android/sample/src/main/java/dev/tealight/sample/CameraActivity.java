// SPDX-License-Identifier: Apache-2.0
package dev.tealight.sample;

import android.Manifest;
import android.content.pm.PackageManager;
import android.graphics.Bitmap;
import android.graphics.SurfaceTexture;
import android.os.Bundle;
import android.view.TextureView;
import android.widget.FrameLayout;
import android.widget.LinearLayout;
import android.widget.TextView;
import org.jspecify.annotations.Nullable;

/** Runs the task on what the camera sees: on the newest frame whenever the last answer is there. */
public final class CameraActivity extends PictureActivity implements TextureView.SurfaceTextureListener {
  private static final int ASK_CAMERA = 1;

  private TextureView preview;
  private BoxPainter boxes;
  private TextView text;
  private @Nullable Bitmap frame; // null until the model is there
  private boolean busy;
  private @Nullable Preview camera;

  @Override
  protected void onCreate(@Nullable Bundle state) {
    super.onCreate(state);
    LinearLayout column = Screens.column(this);
    FrameLayout stack = new FrameLayout(this);
    preview = new TextureView(this);
    boxes = new BoxPainter(this);
    stack.addView(preview);
    stack.addView(boxes);
    Screens.fill(column, stack);
    text = Screens.text(column);
    preview.setSurfaceTextureListener(this);
    if (!mayUseCamera())
      requestPermissions(new String[] {Manifest.permission.CAMERA}, ASK_CAMERA);
  }

  @Override
  protected void onResume() {
    super.onResume();
    openCamera();
  }

  @Override
  protected void onPause() {
    closeCamera();
    super.onPause();
  }

  @Override
  public void onRequestPermissionsResult(int request, String[] permissions, int[] results) {
    super.onRequestPermissionsResult(request, permissions, results);
    if (mayUseCamera()) {
      openCamera();
    } else {
      text.setText(R.string.camera_refused);
    }
  }

  @Override
  void onReady(int width, int height) {
    frame = Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888);
  }

  @Override
  void onAnswer(Answer answer) {
    busy = false;
    text.setText(text(answer));
    boxes.setBoxes(answer.boxes);
  }

  @Override
  public void onSurfaceTextureAvailable(SurfaceTexture texture, int width, int height) {
    openCamera();
  }

  @Override
  public void onSurfaceTextureUpdated(SurfaceTexture texture) {
    if (frame == null || busy)
      return;
    busy = true;
    ask(preview.getBitmap(frame)); // scaled on the GPU, into the one bitmap
  }

  @Override
  public void onSurfaceTextureSizeChanged(SurfaceTexture texture, int width, int height) {}

  @Override
  public boolean onSurfaceTextureDestroyed(SurfaceTexture texture) {
    closeCamera();
    return true;
  }

  private boolean mayUseCamera() {
    return checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED;
  }

  private void openCamera() {
    if (camera != null || !preview.isAvailable() || !mayUseCamera())
      return;
    camera = Preview.open(this, preview.getSurfaceTexture());
    if (camera == null)
      text.setText(R.string.no_camera);
  }

  private void closeCamera() {
    if (camera != null)
      camera.close();
    camera = null;
  }
}
