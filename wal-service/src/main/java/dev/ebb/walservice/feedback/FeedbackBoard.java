package dev.ebb.walservice.feedback;

import dev.ebb.shared.bus.WalMessage.StandbyFeedback;
import dev.ebb.shared.model.BranchId;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * What all instances said that their standbys need, this one included. An instance that says it no
 * more is forgotten after {@link #FORGET_AFTER}: nobody may hold VACUUM back for ever. Thread-safe;
 * does not block.
 */
public final class FeedbackBoard {
  static final Duration FORGET_AFTER = FeedbackReports.REPEAT.multipliedBy(3);

  private record Heard(long transaction, long atNanos) {
    boolean isRecent(long nowNanos) {
      return nowNanos - atNanos < FORGET_AFTER.toNanos();
    }
  }

  /** By branch and instance; an inner map is never changed. */
  private final ConcurrentHashMap<BranchId, Map<String, Heard>> heard = new ConcurrentHashMap<>();

  public void accept(StandbyFeedback feedback, long nowNanos) {
    heard.compute(
        feedback.branch(),
        (branch, before) -> {
          Map<String, Heard> now = before == null ? new HashMap<>() : new HashMap<>(before);
          long needed = OldestTransaction.normal(feedback.oldestTransaction());
          if (needed == OldestTransaction.NONE) {
            now.remove(feedback.instance());
          } else {
            now.put(feedback.instance(), new Heard(needed, nowNanos));
          }
          return recent(now, nowNanos);
        });
  }

  /** Of all standbys of the branch; 0 where there is none that needs anything. */
  public long oldest(BranchId branch, long nowNanos) {
    long oldest = OldestTransaction.NONE;
    for (Heard one : heard.getOrDefault(branch, Map.of()).values()) {
      if (one.isRecent(nowNanos)) {
        oldest = OldestTransaction.min(oldest, one.transaction());
      }
    }
    return oldest;
  }

  /** Drops what is forgotten; to be called now and then. */
  public void sweep(long nowNanos) {
    for (BranchId branch : heard.keySet()) {
      heard.computeIfPresent(branch, (key, before) -> recent(before, nowNanos));
    }
  }

  private static @Nullable Map<String, Heard> recent(Map<String, Heard> all, long nowNanos) {
    Map<String, Heard> kept = new HashMap<>(all);
    kept.values().removeIf(one -> !one.isRecent(nowNanos));
    return kept.isEmpty() ? null : kept;
  }

  /** For how many branches something is kept. */
  int branches() {
    return heard.size();
  }
}
