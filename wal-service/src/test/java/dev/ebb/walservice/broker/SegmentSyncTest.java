package dev.ebb.walservice.broker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.walservice.topic.TopicSync;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which files were forced when a sync returns. */
final class SegmentSyncTest {
  private static final String RECOVERY_POINTS = "recovery-point-offset-checkpoint";

  @TempDir private Path logs;

  /** Names of what was forced, in order; the directories by theirs. */
  private final List<String> forced = new ArrayList<>();

  private @Nullable IOException trouble;
  private Path partition;
  private SegmentSync sync;

  @BeforeEach
  void makePartition() throws IOException {
    partition = Files.createDirectories(logs.resolve("t-0"));
    sync = newProcess();
  }

  private SegmentSync newProcess() {
    return new SegmentSync(
        logs,
        (file, channel) -> {
          IOException now = trouble;
          if (now != null) {
            trouble = null;
            throw now;
          }
          channel.force(false);
          forced.add(file.getFileName().toString());
        });
  }

  private static String segment(long firstOffset) {
    return String.format("%020d.log", firstOffset);
  }

  private Path makeSegment(long firstOffset) throws IOException {
    return Files.writeString(partition.resolve(segment(firstOffset)), "records");
  }

  private List<String> forcedBySync(long offset) throws IOException {
    return forcedBySync(offset, offset);
  }

  private List<String> forcedBySync(long unsyncedFrom, long unsyncedTo) throws IOException {
    forced.clear();
    sync.sync("t", unsyncedFrom, unsyncedTo);
    return List.copyOf(forced);
  }

  @Test
  void newFilesAreForcedWithTheirDirectoriesLaterOnesAlone() throws Exception {
    makeSegment(0);
    assertThat(forcedBySync(0)).containsExactly(segment(0), "t-0", logs.getFileName().toString());
    assertThat(forcedBySync(1)).containsExactly(segment(0));
  }

  @Test
  void recordsOnBothSidesOfARollAreForced() throws Exception {
    makeSegment(0);
    sync.sync("t", 0, 0);
    makeSegment(5);
    assertThat(forcedBySync(4, 6)).startsWith(segment(0), segment(5)).contains("t-0");
    assertThat(forcedBySync(7)).containsExactly(segment(5));
  }

  @Test
  void rollAtAnyRecordSinceTheLastSyncIsNoticed() throws Exception {
    makeSegment(0);
    sync.sync("t", 0, 3);
    makeSegment(4);
    assertThat(forcedBySync(4)).startsWith(segment(4)).contains("t-0");
    makeSegment(9);
    assertThat(forcedBySync(5, 9)).startsWith(segment(4), segment(9)).contains("t-0");
    assertThat(forcedBySync(10)).containsExactly(segment(9));
    makeSegment(500);
    assertThat(forcedBySync(11, 600)).startsWith(segment(9), segment(500)).contains("t-0");
  }

  @Test
  void manyTopicsAreSyncedWithFewFilesKeptOpen() throws Exception {
    for (int round = 0; round < 2; round++) {
      for (int i = 0; i < 200; i++) {
        Path other = Files.createDirectories(logs.resolve("many" + i + "-0"));
        Files.writeString(other.resolve(segment(0)), "records");
        forced.clear();
        sync.sync("many" + i, round, round);
        assertThat(forced).contains(segment(0));
      }
    }
    try (var open = Files.list(Path.of("/proc/self/fd"))) {
      assertThat(open.filter(fd -> isIn(fd, logs)).count()).isBetween(1L, 64L);
    }
    for (int i = 0; i < 200; i++) {
      sync.forget("many" + i);
    }
    try (var open = Files.list(Path.of("/proc/self/fd"))) {
      assertThat(open.filter(fd -> isIn(fd, logs)).count()).isZero();
    }
  }

  private static boolean isIn(Path fd, Path directory) {
    try {
      return Files.readSymbolicLink(fd).startsWith(directory);
    } catch (IOException e) {
      return false; // closed meanwhile
    }
  }

  @Test
  void recordThatNobodyWasToldOfIsForcedBeforeALaterOneBehindARoll() throws Exception {
    makeSegment(0);
    sync.sync("t", 0, 0);
    // Records 1 to 4 are in the log, but their acknowledgements were lost; then the log rolled.
    makeSegment(5);
    assertThat(forcedBySync(5)).startsWith(segment(0), segment(5));
  }

  @Test
  void recordsOfASyncThatCouldNotBeTriedAreForcedByTheNextOne() throws Exception {
    makeSegment(0);
    sync.sync("t", 0, 0);
    Path hidden = partition.resolve("hidden");
    Files.move(partition.resolve(segment(0)), hidden);
    Files.createSymbolicLink(partition.resolve(segment(0)), logs.resolve("nothing"));
    assertThatThrownBy(() -> sync.sync("t", 3, 3))
        .isInstanceOf(IOException.class)
        .isNotInstanceOf(TopicSync.DiskFailedException.class)
        .isNotInstanceOf(TopicSync.GoneException.class);
    Files.delete(partition.resolve(segment(0)));
    Files.move(hidden, partition.resolve(segment(0)));
    makeSegment(5);
    assertThat(forcedBySync(5)).startsWith(segment(0), segment(5));
  }

  @Test
  void firstSyncOfAProcessBeginsAtKafkasRecoveryPoint() throws Exception {
    makeSegment(0);
    makeSegment(5);
    makeSegment(9);
    Files.writeString(logs.resolve(RECOVERY_POINTS), "0\n2\nother 0 9\nt 0 6\n");
    assertThat(forcedBySync(9)).startsWith(segment(5), segment(9)).doesNotContain(segment(0));

    Files.writeString(logs.resolve(RECOVERY_POINTS), "0\n1\nother 0 9\n");
    sync = newProcess();
    assertThat(forcedBySync(9)).startsWith(segment(0), segment(5), segment(9));

    Files.writeString(logs.resolve(RECOVERY_POINTS), "0\n1\nt 0 garbage\n");
    sync = newProcess();
    assertThat(forcedBySync(9)).startsWith(segment(0), segment(5), segment(9));
  }

  @Test
  void directoryThatCouldNotBeForcedIsForcedByTheNextSync() throws Exception {
    makeSegment(0);
    var failing =
        new SegmentSync(
            logs,
            (file, channel) -> {
              IOException now = trouble;
              if (now != null && Files.isDirectory(file)) {
                trouble = null;
                throw now;
              }
              forced.add(file.getFileName().toString());
            });
    trouble = new IOException("EIO");
    assertThatThrownBy(() -> failing.sync("t", 0, 0))
        .isInstanceOf(TopicSync.DiskFailedException.class);
    forced.clear();
    failing.sync("t", 0, 0);
    assertThat(forced).contains(segment(0), "t-0");
  }

  @Test
  void failedForceIsTheDisksFailure() throws Exception {
    makeSegment(0);
    for (IOException one :
        List.of(new IOException("Input/output error"), new ClosedByInterruptException())) {
      trouble = one;
      assertThatThrownBy(() -> sync.sync("t", 0, 0))
          .isInstanceOf(TopicSync.DiskFailedException.class)
          .hasCause(one);
    }
  }

  @Test
  void interruptDoesNotReachTheForcingAndIsNotLost() throws Exception {
    makeSegment(0);
    Thread.currentThread().interrupt();
    sync.sync("t", 0, 0);
    assertThat(Thread.interrupted()).isTrue();
    assertThat(forced).contains(segment(0));
  }

  @Test
  void segmentThatIsMissingIsAnErrorButNotTheDisks() {
    assertThatThrownBy(() -> sync.sync("t", 0, 0)).isInstanceOf(NoSuchFileException.class);
  }

  @Test
  void deletedTopicIsGone() throws Exception {
    makeSegment(0);
    sync.sync("t", 0, 0);
    Files.move(partition, logs.resolve("t-0.abc-delete"));
    assertThatThrownBy(() -> sync.sync("t", 1, 1)).isInstanceOf(TopicSync.GoneException.class);
  }

  @Test
  void topicThatWasForgottenIsSyncedFromItsBeginning() throws Exception {
    makeSegment(0);
    sync.sync("t", 0, 4);
    makeSegment(5);
    sync.sync("t", 5, 5);
    sync.forget("t");
    assertThat(forcedBySync(6))
        .containsExactly(segment(0), segment(5), "t-0", logs.getFileName().toString());
  }

  @Test
  void realForceWorksOnFilesAndDirectories() throws Exception {
    makeSegment(0);
    assertThatCode(() -> new SegmentSync(logs).sync("t", 0, 0)).doesNotThrowAnyException();
  }
}
