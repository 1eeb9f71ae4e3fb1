package dev.ebb.shared.store;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.shared.store.WriteHistory.Answer;
import org.junit.jupiter.api.Test;

final class WriteHistoryTest {
  private final WriteHistory created = WriteHistory.NONE.with("a");

  @Test
  void writeThatIsNewestOrOverwrittenHappened() {
    assertThat(created.about("a", WriteHistory.NONE)).isEqualTo(Answer.NEWEST);
    assertThat(created.with("b").about("a", WriteHistory.NONE)).isEqualTo(Answer.OVERWRITTEN);
  }

  @Test
  void otherWriteInItsPlaceMeansNever() {
    assertThat(created.about("x", WriteHistory.NONE)).isEqualTo(Answer.NEVER);
    assertThat(created.with("b").with("c").about("x", created)).isEqualTo(Answer.NEVER);
  }

  @Test
  void historyThatDoesNotReachBackTellsNothing() {
    WriteHistory replaced = WriteHistory.UNKNOWN.with("p");

    assertThat(replaced.about("x", created)).isEqualTo(Answer.UNKNOWN);
    assertThat(replaced.about("x", WriteHistory.NONE)).isEqualTo(Answer.UNKNOWN);
    assertThat(WriteHistory.UNKNOWN.about("x", WriteHistory.UNKNOWN)).isEqualTo(Answer.UNKNOWN);
    assertThat(created.about("x", WriteHistory.UNKNOWN)).isEqualTo(Answer.UNKNOWN);
  }

  @Test
  void longHistoryForgetsItsOldestWritesAndSaysSo() {
    WriteHistory lengthy = created;
    for (int i = 0; i < 140; i++) {
      lengthy = lengthy.with("w" + i);
    }

    assertThat(lengthy.writes()).hasSize(100).startsWith("w139");
    assertThat(lengthy.complete()).isFalse();
    assertThat(lengthy.about("a", WriteHistory.NONE)).isEqualTo(Answer.UNKNOWN);
  }

  @Test
  void textComesBack() {
    for (WriteHistory history :
        new WriteHistory[] {created, created.with("b"), WriteHistory.UNKNOWN.with("c")}) {
      assertThat(WriteHistory.parse(history.text())).isEqualTo(history);
      var version = new S3Version("etag-2", history);
      assertThat(S3Version.parse(version.version())).isEqualTo(version);
    }
    assertThat(S3Version.parse(new ObjectStore.Version("plain")).history())
        .isEqualTo(WriteHistory.UNKNOWN);
  }
}
