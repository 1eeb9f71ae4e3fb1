package dev.ebb.walservice.topic;

import static org.assertj.core.api.Assertions.assertThat;

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
    List<Runnable> tasks = new ArrayList<>();
    SyncedAcks[] acks = new SyncedAcks[1];
    acks[0] =
        new SyncedAcks(
            (topic, from) -> {
              events.add("sync " + from);
              if (from == 1) {
                acks[0].acknowledged(topic, 2, appended("b"));
                acks[0].acknowledged(topic, 3, appended("c"));
              }
            },
            tasks::add);
    acks[0].acknowledged("t", 1, appended("a"));
    assertThat(events).isEmpty();
    tasks.removeFirst().run();
    assertThat(events).containsExactly("sync 1", "a=1", "sync 2", "b=2", "c=3");
    assertThat(tasks).isEmpty();
  }

  @Test
  void afterAFailedSyncNothingIsAcknowledgedAgain() {
    int[] calls = {0};
    var acks =
        new SyncedAcks(
            (topic, from) -> {
              if (calls[0]++ == 0) {
                throw new IOException("no disk");
              }
            },
            Runnable::run);
    acks.acknowledged("t", 1, appended("a"));
    acks.acknowledged("t", 2, appended("b"));
    assertThat(events).containsExactly("a failed", "b failed");
    assertThat(calls[0]).isEqualTo(1);
  }

  @Test
  void aDeletedTopicFailsItsOwnRecordsOnly() {
    var acks =
        new SyncedAcks(
            (topic, from) -> {
              if (topic.equals("gone")) {
                throw new TopicSync.GoneException(topic, new IOException("no such file"));
              }
            },
            Runnable::run);
    acks.acknowledged("gone", 1, appended("a"));
    acks.acknowledged("t", 2, appended("b"));
    assertThat(events).containsExactly("a failed", "b=2");
  }

  @Test
  void anUnexpectedErrorReachesWhoeverWaits() {
    var acks =
        new SyncedAcks(
            (topic, from) -> {
              throw new IllegalStateException("a defect");
            },
            Runnable::run);
    acks.acknowledged("t", 1, appended("a"));
    acks.acknowledged("t", 2, appended("b"));
    assertThat(events).containsExactly("a failed", "b failed");
  }
}
