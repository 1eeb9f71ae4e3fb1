package dev.ebb.walservice.send;

import dev.ebb.shared.model.BranchId;
import java.time.Duration;

/** Tells up to which record a branch's topic is durable. Thread-safe; blocks. */
public interface DurableEnds {

  /**
   * Behind the newest record that is known to be durable.
   *
   * @param fresh asks the topic itself also where this instance believes that it writes the log:
   *     another one may have taken over meanwhile
   */
  long durableEnd(BranchId branch, boolean fresh, Duration timeout);

  /** Returns when there may be more than {@code end}, at the latest after the time. */
  void awaitMoreThan(BranchId branch, long end, Duration timeout) throws InterruptedException;
}
