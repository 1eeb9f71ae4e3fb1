package dev.ebb.walservice.topic;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.log.LogRecord;
import dev.ebb.walservice.log.Term;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What every {@link LogTopics} must do. */
abstract class LogTopicsContract {
  static final Duration TIMEOUT = Duration.ofSeconds(20);
  static final Term TERM = new Term(new Generation(3), 0x123456789L);

  abstract LogTopics topics();

  final CompletableFuture<Long> append(BranchId branch, LogRecord record) {
    var done = new CompletableFuture<Long>();
    topics()
        .append(
            branch,
            record,
            (offset, error) -> {
              if (error == null) {
                done.complete(offset);
              } else {
                done.completeExceptionally(error);
              }
            });
    return done;
  }

  @Test
  void whatIsAppendedIsReadBackInOrderWithItsOffsets() throws Exception {
    BranchId branch = BranchId.random();
    topics().create(branch, TIMEOUT);
    topics().create(branch, TIMEOUT);
    assertThat(topics().verify(branch, TIMEOUT)).isEqualTo(topics().identity(branch, TIMEOUT));
    List<CompletableFuture<Long>> offsets = new ArrayList<>();
    offsets.add(append(branch, LogRecord.fence(TERM)));
    offsets.add(append(branch, LogRecord.start(TERM, new Lsn(100), 0)));
    for (int i = 0; i < 100; i++) {
      offsets.add(append(branch, LogRecord.wal(TERM, new Lsn(100 + i), new byte[] {(byte) i})));
    }
    for (int i = 0; i < offsets.size(); i++) {
      assertThat(offsets.get(i).get(20, TimeUnit.SECONDS)).isEqualTo(i);
    }
    assertThat(topics().endOffset(branch, TIMEOUT)).isEqualTo(102);
    assertThat(topics().durableEndOffset(branch, TIMEOUT)).isEqualTo(102);
    for (int repeat = 0; repeat < 2; repeat++) {
      List<LogRecord.Stored> read = new ArrayList<>();
      topics().read(branch, 1, 60, read::add, TIMEOUT);
      assertThat(read).extracting(LogRecord.Stored::offset).startsWith(1L, 2L).hasSize(59);
      LogRecord wal = read.get(10).record();
      assertThat(wal.term()).isEqualTo(TERM);
      assertThat(wal.lsn()).isEqualTo(new Lsn(109));
      assertThat(wal.bytes()).containsExactly(9);
    }
    topics().delete(branch, TIMEOUT);
    topics().delete(branch, TIMEOUT);
  }

  @Test
  void whatIsTrimmedIsToldAndTheRestStays() throws Exception {
    BranchId branch = BranchId.random();
    topics().create(branch, TIMEOUT);
    String identity = topics().identity(branch, TIMEOUT);
    assertThat(identity).matches("[\\w-]{1,40}").isEqualTo(topics().identity(branch, TIMEOUT));
    assertThat(topics().beginOffset(branch, TIMEOUT)).isZero();
    for (int i = 0; i < 10; i++) {
      append(branch, LogRecord.wal(TERM, new Lsn(100 + i), new byte[] {(byte) i}))
          .get(20, TimeUnit.SECONDS);
    }
    topics().trim(branch, 6, TIMEOUT);
    topics().trim(branch, 4, TIMEOUT);

    assertThat(topics().beginOffset(branch, TIMEOUT)).isEqualTo(6);
    assertThat(topics().endOffset(branch, TIMEOUT)).isEqualTo(10);
    List<LogRecord.Stored> read = new ArrayList<>();
    topics().read(branch, 6, 10, read::add, TIMEOUT);
    assertThat(read).extracting(LogRecord.Stored::offset).containsExactly(6L, 7L, 8L, 9L);
    assertThatThrownBy(() -> topics().read(branch, 5, 10, read::add, TIMEOUT))
        .isInstanceOf(TrimmedException.class);
    topics().delete(branch, TIMEOUT);
    topics().create(branch, TIMEOUT);
    assertThat(topics().identity(branch, TIMEOUT)).isNotEqualTo(identity);
    topics().delete(branch, TIMEOUT);
  }

  @Test
  void aBranchWithoutATopicIsNotFound() {
    assertThatThrownBy(() -> topics().verify(BranchId.random(), TIMEOUT))
        .isInstanceOf(EbbException.NotFound.class);
  }
}
