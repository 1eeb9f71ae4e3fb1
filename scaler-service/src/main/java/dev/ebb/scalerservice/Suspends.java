package dev.ebb.scalerservice;

import dev.ebb.scalerservice.decide.Decision;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.Bus;
import dev.ebb.shared.bus.ComputeMessage.SuspendBranch;
import dev.ebb.shared.bus.ComputeMessage.Suspended;
import dev.ebb.shared.bus.ScalerMessage.Outcome;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import io.vertx.core.Future;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.LongSupplier;

/**
 * Asks computes to suspend, one request at a time a branch, and leaves a branch alone for a while
 * after its answer. Belongs to one event loop.
 */
final class Suspends {
  /** A capture of much dirty data takes its time. */
  static final long REQUEST_TIMEOUT_MS = 120_000;

  /** Until then every announcement that still shows the compute has been replaced or expired. */
  static final long PAUSE_AFTER_DONE_MS = 3_000;

  /** The compute saw a use that the announcement did not: the next one shows it. */
  static final long PAUSE_AFTER_REFUSED_MS = 5_000;

  /** Kafka or the store are away, say: a suspend costs the compute its caches, do not insist. */
  static final long PAUSE_AFTER_FAILED_MS = 30_000;

  private final Bus bus;
  private final LongSupplier monotonicMs;
  private final Set<BranchId> inFlight = new HashSet<>();
  private final Map<BranchId, Long> pausedUntilMs = new HashMap<>();

  /** How a suspend ended, in words. */
  record Result(Outcome outcome, String words) {}

  Suspends(Bus bus, LongSupplier monotonicMs) {
    this.bus = bus;
    this.monotonicMs = monotonicMs;
  }

  int inFlight() {
    return inFlight.size();
  }

  /** Until when each branch is to be left alone. */
  Map<BranchId, Long> heldUntilMs() {
    long nowMs = monotonicMs.getAsLong();
    pausedUntilMs.values().removeIf(untilMs -> untilMs <= nowMs);
    Map<BranchId, Long> held = new HashMap<>(pausedUntilMs);
    inFlight.forEach(branch -> held.put(branch, Long.MAX_VALUE));
    return held;
  }

  /** Carries the decision out; never fails. */
  Future<Result> suspend(Decision decision) {
    BranchId branch = decision.branch();
    if (!inFlight.add(branch)) {
      throw new IllegalStateException("a suspend of " + branch + " is in flight");
    }
    var request = new SuspendBranch(branch, decision.onlyIfIdleMs());
    return bus.request(Addresses.COMPUTE, request, REQUEST_TIMEOUT_MS)
        .map(Suspends::done)
        .otherwise(Suspends::notDone)
        .onComplete((result, never) -> {
          inFlight.remove(branch);
          pausedUntilMs.put(branch, monotonicMs.getAsLong() + pauseAfterMs(result.outcome()));
        });
  }

  private static Result done(Suspended answer) {
    return new Result(
        Outcome.DONE,
        answer.wasRunning()
            ? "suspended at " + answer.endLsn() + ", captured in " + answer.captureMicros() + " µs"
            : "it was not running any more");
  }

  private static Result notDone(Throwable error) {
    String words = error.getMessage() == null ? error.toString() : error.getMessage();
    return new Result(
        error instanceof EbbException.Conflict ? Outcome.REFUSED : Outcome.FAILED, words);
  }

  private static long pauseAfterMs(Outcome outcome) {
    return switch (outcome) {
      case DECIDED, DONE -> PAUSE_AFTER_DONE_MS;
      case REFUSED -> PAUSE_AFTER_REFUSED_MS;
      case FAILED -> PAUSE_AFTER_FAILED_MS;
    };
  }
}
