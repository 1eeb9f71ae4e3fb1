package dev.ebb.walservice.feedback;

import dev.ebb.shared.bus.WalMessage.StandbyFeedback;
import dev.ebb.shared.model.BranchId;
import dev.ebb.walservice.send.SenderStatus;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What this instance says about the standbys connected to it: on change, and again every {@link
 * #REPEAT}. That nothing is needed any more is said once. For one thread.
 */
public final class FeedbackReports {
  static final Duration REPEAT = Duration.ofSeconds(10);

  private record Said(long transaction, long atNanos) {}

  private final String instance;
  private final Duration silence;
  private final Map<BranchId, Said> said = new HashMap<>();

  /**
   * Nothing is said yet.
   *
   * @param instance its name
   * @param silence a standby that has said nothing for longer does not count
   */
  public FeedbackReports(String instance, Duration silence) {
    this.instance = instance;
    this.silence = silence;
  }

  /**
   * What is to be said now.
   *
   * @param senders those who stream now
   */
  public List<StandbyFeedback> due(List<SenderStatus> senders, long nowNanos) {
    Map<BranchId, Long> present = new HashMap<>();
    for (SenderStatus sender : senders) {
      long needed = OldestTransaction.normal(sender.oldestTransaction());
      if (needed != OldestTransaction.NONE && sender.heardMs() <= silence.toMillis()) {
        present.merge(sender.branch(), needed, OldestTransaction::min);
      }
    }
    List<StandbyFeedback> due = new ArrayList<>();
    for (BranchId branch : Set.copyOf(said.keySet())) {
      if (!present.containsKey(branch)) {
        said.remove(branch);
        due.add(new StandbyFeedback(branch, instance, OldestTransaction.NONE));
      }
    }
    present.forEach((branch, needed) -> {
      Said last = said.get(branch);
      if (last == null
          || last.transaction() != needed
          || nowNanos - last.atNanos() >= REPEAT.toNanos()) {
        said.put(branch, new Said(needed, nowNanos));
        due.add(new StandbyFeedback(branch, instance, needed));
      }
    });
    return due;
  }
}
