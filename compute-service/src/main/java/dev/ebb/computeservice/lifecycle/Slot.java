package dev.ebb.computeservice.lifecycle;

import dev.ebb.shared.model.BranchId;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * One branch's place on a host. Starting, stopping and dropping happen one at a time, under {@code
 * lock}; who only wants to know what runs reads {@code primary}.
 */
final class Slot {
  final BranchId branch;
  final ReentrantLock lock = new ReentrantLock(true);
  volatile @Nullable Primary primary;

  Slot(BranchId branch) {
    this.branch = branch;
  }

  /** The primary, where one accepts connections. */
  @Nullable Primary running() {
    Primary now = primary;
    return now != null && now.isRunning() ? now : null;
  }
}
