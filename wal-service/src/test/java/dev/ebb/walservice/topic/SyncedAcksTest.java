package dev.ebb.walservice.topic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SyncedAcksTest {
  private final List<String> events = new ArrayList<>();

  private LogTopics.Appended appended(String name) {
    return (offset, error) -> events.add(name + (error == null ? "=" + offset : " failed"));
  }

  @Test
  void recordsAcknowledgedDuringASyncShareTheNextOne() {
    SyncedAcks[] acks = new SyncedAcks[1];
    acks[0] =
        new SyncedAcks((topic, from, to) -> {
          events.add("sync " + from + " to " + to);
          if (from == 1) {
            acks[0].acknowledged(topic, 2, appended("b"));
            acks[0].acknowledged(topic, 3, appended("c"));
          }
        });
    acks[0].acknowledged("t", 1, appended("a"));
    assertThat(events).containsExactly("sync 1 to 1", "a=1", "sync 2 to 3", "b=2", "c=3");
  }

  @Test
  void afterTheDiskFailedNothingIsAcknowledgedAgain() {
    int[] calls = {0};
    var acks =
        new SyncedAcks((topic, from, to) -> {
          if (calls[0]++ == 0) {
            throw new TopicSync.DiskFailedException("no disk", new IOException("EIO"));
          }
        });
    acks.acknowledged("t", 1, appended("a"));
    acks.acknowledged("t", 2, appended("b"));
    acks.acknowledged("other", 1, appended("c"));
    assertThat(events).containsExactly("a failed", "b failed", "c failed");
    assertThat(calls[0]).isEqualTo(1);
  }

  /** A reader that asks for it must not take the page cache for the disk. */
  @Test
  void flushSyncsAndIsRefusedAfterTheDiskFailed() {
    List<IOException> trouble = new ArrayList<>();
    var acks =
        new SyncedAcks((topic, from, to) -> {
          if (!trouble.isEmpty()) {
            throw trouble.removeFirst();
          }
          events.add("sync " + from + " to " + to);
        });
    acks.flush("t", 7);
    assertThat(events).containsExactly("sync 7 to 7");
    trouble.add(new IOException("too many open files"));
    trouble.add(new TopicSync.GoneException("t", new IOException("gone")));
    trouble.add(new TopicSync.DiskFailedException("no disk", new IOException("EIO")));
    assertThatThrownBy(() -> acks.flush("t", 8)).isInstanceOf(EbbException.Unavailable.class);
    assertThatThrownBy(() -> acks.flush("t", 8)).isInstanceOf(EbbException.NotFound.class);
    assertThatThrownBy(() -> acks.flush("t", 8)).isInstanceOf(EbbException.Unavailable.class);
    assertThatThrownBy(() -> acks.flush("t", 8)).isInstanceOf(EbbException.Unavailable.class);
    acks.acknowledged("t", 9, appended("a"));
    assertThat(events).containsExactly("sync 7 to 7", "a failed");
  }

  @Test
  void syncThatCouldNotBeTriedFailsItsOwnRecordsOnly() {
    List<Exception> trouble =
        new ArrayList<>(
            List.of(
                new IOException("too many open files"),
                new java.nio.channels.ClosedByInterruptException(),
                new IllegalStateException("a defect")));
    var acks =
        new SyncedAcks((topic, from, to) -> {
          if (!trouble.isEmpty()) {
            switch (trouble.removeFirst()) {
              case IOException e -> throw e;
              case RuntimeException e -> throw e;
              default -> throw new AssertionError();
            }
          }
        });
    acks.acknowledged("t", 1, appended("a"));
    acks.acknowledged("t", 2, appended("b"));
    acks.acknowledged("t", 3, appended("c"));
    acks.acknowledged("t", 4, appended("d"));
    assertThat(events).containsExactly("a failed", "b failed", "c failed", "d=4");
  }

  @Test
  void listenerThatFailsDoesNotKeepTheOthersFromHearing() {
    var acks = new SyncedAcks((topic, from, to) -> {});
    acks.acknowledged(
        "t",
        1,
        (offset, error) -> {
          throw new IllegalStateException("a defect");
        });
    acks.acknowledged(
        "t",
        2,
        (offset, error) -> {
          throw new OutOfMemoryError("a test's");
        });
    acks.acknowledged("t", 3, appended("b"));
    acks.acknowledged("t", 4, appended("c"));
    assertThat(events).containsExactly("b=3", "c=4");
  }

  @Test
  void aDeletedTopicFailsItsOwnRecordsOnly() {
    var acks =
        new SyncedAcks((topic, from, to) -> {
          if (topic.equals("gone")) {
            throw new TopicSync.GoneException(topic, new IOException("no such file"));
          }
        });
    acks.acknowledged("gone", 1, appended("a"));
    acks.acknowledged("t", 2, appended("b"));
    assertThat(events).containsExactly("a failed", "b=2");
  }

  @Test
  void anUnexpectedErrorReachesWhoeverWaits() {
    var acks =
        new SyncedAcks((topic, from, to) -> {
          throw new IllegalStateException("a defect");
        });
    acks.acknowledged("t", 1, appended("a"));
    acks.acknowledged("t", 2, appended("b"));
    assertThat(events).containsExactly("a failed", "b failed");
  }
}
