package dev.ebb.walservice;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.walservice.session.LogSession;
import dev.ebb.walservice.topic.LogTopics;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds topics that somebody deleted while a primary writes to them. Kafka's producer tells nobody:
 * it takes a topic that it does not find for one that is still being made, and tries on for ever,
 * as it must while Kafka is away. So commits wait, and the only copy of what was acknowledged since
 * the newest snapshot is in the primary, which therefore is not ended: whoever runs Ebb has to know
 * it while there is something to be saved.
 */
final class MissingTopics {
  private static final Logger log = LoggerFactory.getLogger(MissingTopics.class);

  /** What waits for so long is reason to look. */
  private static final Duration STALLED = Duration.ofSeconds(3);

  private static final Duration TIMEOUT = Duration.ofSeconds(5);

  private final LogTopics topics;
  private final Duration stalled;
  private final ReentrantLock looking = new ReentrantLock();

  /** Those that were missed in the last look, each with whether it was told. */
  private final Map<BranchId, Boolean> missed = new HashMap<>();

  MissingTopics(LogTopics topics) {
    this(topics, STALLED);
  }

  MissingTopics(LogTopics topics, Duration stalled) {
    this.topics = topics;
    this.stalled = stalled;
  }

  /** Looks at the topics of what is written here, unless that goes on already. */
  void look(Map<BranchId, BranchLog> logs) {
    if (!looking.tryLock()) {
      return;
    }
    try {
      missed.keySet().retainAll(logs.keySet());
      logs.forEach(this::look);
    } catch (EbbException.Unavailable e) {
      log.debug("nothing is known of topics: Kafka is away", e);
    } finally {
      looking.unlock();
    }
  }

  private void look(BranchId branch, BranchLog held) {
    LogSession session = held.written();
    boolean waits = session != null && session.waitingFor().compareTo(stalled) >= 0;
    String what = waits ? missing(branch, held.topic()) : null;
    if (what == null) {
      if (Boolean.TRUE.equals(missed.remove(branch))) {
        log.info("the topic of branch {} is not missed any more", branch);
      }
      return;
    }
    // Seen twice: a broker that has just started may not have heard of all topics.
    Boolean told = missed.putIfAbsent(branch, false);
    if (Boolean.FALSE.equals(told)) {
      missed.put(branch, true);
      log.error(
          "the topic of branch {} {}: its commits wait and none is acknowledged. What was committed"
              + " since its newest snapshot is only in the primary that runs, which can be read:"
              + " dump it (pg_dump) before it is stopped",
          branch,
          what);
    }
  }

  private @Nullable String missing(BranchId branch, String identity) {
    try {
      return topics.identity(branch, TIMEOUT).equals(identity)
          ? null
          : "was deleted and made again";
    } catch (EbbException.NotFound e) {
      return "was deleted";
    }
  }
}
