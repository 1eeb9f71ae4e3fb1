package dev.ebb.shared.archive;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.store.InMemoryObjectStore;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

final class LogArchiveTest {
  private static final BranchId BRANCH = new BranchId("branch1");

  private final InMemoryObjectStore store = new InMemoryObjectStore();
  private final LogArchive archive = new LogArchive(store, BRANCH, "topic_-1");

  private static List<ArchivedRecord> records(long from, long to) {
    return LongStream.range(from, to)
        .mapToObj(offset -> new ArchivedRecord(offset, 3, 1, 1, offset, new byte[] {(byte) offset}))
        .toList();
  }

  private List<Long> read(long from, long to) {
    List<Long> offsets = new ArrayList<>();
    archive.read(from, to, record -> offsets.add(record.offset()));
    return offsets;
  }

  @Test
  void rangesAreReadOverObjectsThatMeetOrOverlap() {
    archive.store(records(0, 10));
    archive.store(records(0, 4));
    archive.store(records(4, 12));
    archive.store(records(12, 20));
    new LogArchive(store, BRANCH, "other").store(records(20, 30));
    store.put("branches/branch1/wal/rubbish", new byte[] {1});

    assertThat(archive.coveredTo(0)).isEqualTo(20);
    assertThat(archive.coveredTo(25)).isEqualTo(25);
    for (long from = 0; from <= 20; from++) {
      for (long to = from; to <= 20; to++) {
        assertThat(read(from, to)).isEqualTo(LongStream.range(from, to).boxed().toList());
      }
    }
    List<Long> some = new ArrayList<>();
    archive.read(
        3,
        20,
        record -> {
          some.add(record.offset());
          return some.size() < 2;
        });
    assertThat(some).containsExactly(3L, 4L);
  }

  @Test
  void whatIsNotThereIsNotFoundInsteadOfLeftOut() {
    archive.store(records(2, 5));
    archive.store(records(6, 9));

    assertThat(archive.coveredTo(2)).isEqualTo(5);
    for (long[] range : new long[][] {{0, 3}, {1, 2}, {3, 6}, {3, 9}, {8, 10}, {9, 10}}) {
      assertThatThrownBy(() -> read(range[0], range[1]))
          .as("%d to %d", range[0], range[1])
          .isInstanceOf(EbbException.NotFound.class)
          .hasMessageContaining("of the log of branch1 is not there any more");
    }
  }

  @Test
  void keysSayWhatTheyHoldAndOthersAreNone() {
    var key = new ArchiveKey(BRANCH, "AbC_-9", 255, 4096);
    assertThat(key).hasToString("branches/branch1/wal/AbC_-9.00000000000000ff-0000000000001000");
    assertThat(ArchiveKey.parse(key.toString())).contains(key);
    for (String other :
        List.of(
            "branches/branch1/head",
            "branches/branch1/wal/x",
            "branches/branch1/wal/x.00000000000000ff-00000000000000ff",
            "branches/branch1/wal/x.00000000000000ff-ffffffffffffffff",
            "branches/branch1/wal/x.00000000000000ff-00000000000010000",
            "branches/b/wal/.0000000000000000-0000000000000001")) {
      assertThat(ArchiveKey.parse(other)).as(other).isEmpty();
    }
  }
}
