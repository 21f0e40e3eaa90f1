// SPDX-License-Identifier: Apache-2.0
package dev.tealight;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.Collections;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The native half of an object. It counts the calls that use it, so that closing never frees under a running call:
 * the last one out frees. When an app drops its object without closing it, the garbage collector tells and a thread of
 * this class closes the handle (Java 8 has no Cleaner). Thread-safe.
 */
abstract class NativeHandle extends PhantomReference<Object> {
  private static final ReferenceQueue<Object> DROPPED = new ReferenceQueue<>();
  // A phantom reference works only while it is reachable itself.
  private static final Set<NativeHandle> OPEN =
      Collections.newSetFromMap(new ConcurrentHashMap<NativeHandle, Boolean>());

  static {
    Thread thread = new Thread("tealight-reaper") {
      @Override
      public void run() {
        while (true) {
          try {
            ((NativeHandle) DROPPED.remove()).close();
          } catch (InterruptedException e) {
            // Nobody may end this thread: it outlives all handles.
          }
        }
      }
    };
    thread.setDaemon(true);
    thread.start();
  }

  private final String what;
  private final long address;
  private int users;
  private boolean closed;

  /** Takes over the native object at an address; owner is what the app holds, what is its name in messages. */
  NativeHandle(Object owner, String what, long address) {
    super(owner, DROPPED);
    this.what = what;
    this.address = address;
    OPEN.add(this);
  }

  /** Returns the address, good until leave(). */
  final synchronized long enter() {
    if (closed) {
      throw new IllegalStateException(what + ": closed, expected an open one; close it after the last use");
    }
    ++users;
    return address;
  }

  final void leave() {
    boolean last;
    synchronized (this) {
      last = --users == 0 && closed;
    }
    if (last)
      destroy();
  }

  /** Refuses new users and frees as soon as there are none; never waits for them. */
  final void close() {
    boolean last;
    synchronized (this) {
      if (closed)
        return;
      closed = true;
      onClose();
      last = users == 0;
    }
    if (last)
      destroy();
  }

  final synchronized boolean isClosed() {
    return closed;
  }

  /** Good while the caller is between enter() and leave(), or holds the lock of a handle that has users. */
  final long address() {
    return address;
  }

  /** Called once, with the lock held, when closing: asks the users to hurry. */
  void onClose() {}

  /** Called once, when nobody uses the object any more. */
  abstract void free(long address);

  private void destroy() {
    OPEN.remove(this);
    free(address);
  }

  /** Returns how many native objects are alive. */
  static int count() {
    return OPEN.size();
  }
}
