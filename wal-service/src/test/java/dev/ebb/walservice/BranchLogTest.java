package dev.ebb.walservice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.log.LogWriter;
import dev.ebb.walservice.log.Opening;
import dev.ebb.walservice.log.Term;
import dev.ebb.walservice.receive.Sighting;
import dev.ebb.walservice.receive.StreamStart;
import dev.ebb.walservice.session.LogSession;
import dev.ebb.walservice.session.WalMetrics;
import dev.ebb.walservice.topic.MemoryTopics;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** A log whose session cannot tell what it appended. */
final class BranchLogTest {
  private static final Lsn START = new Lsn(0x20000A0);

  private final BranchId branch = BranchId.random();
  private final WalMetrics metrics = new WalMetrics(new SimpleMeterRegistry());
  private final Logger logger = (Logger) LoggerFactory.getLogger(BranchLog.class);
  private final ListAppender<ILoggingEvent> logged = new ListAppender<>();
  private final List<Long> reopenedAtNanos = new ArrayList<>();
  private volatile Sighting sighting = Sighting.ANNOUNCED;
  private volatile boolean kafkaIsAway = true;

  @BeforeEach
  void listen() {
    logged.start();
    logger.addAppender(logged);
  }

  @AfterEach
  void stopListening() {
    logger.detachAppender(logged);
  }

  private LogSession session() {
    var writer =
        new LogWriter(
            new Term(new Generation(3), 1),
            new Opening(START, true, -1, START),
            fromHint -> {
              throw new AssertionError("nothing is to be folded");
            },
            fold -> START);
    return new LogSession(new MemoryTopics(), branch, writer, Runnable::run, metrics, 1 << 20);
  }

  private BranchLog log(LogSession session) {
    return new BranchLog(
        branch,
        new Generation(3),
        new BranchLog.Beginning(null, START, "topic"),
        session,
        StreamStart.at(START),
        (primary, start) -> {
          throw new SQLException("not used");
        },
        metrics,
        uncertain -> {
          reopenedAtNanos.add(System.nanoTime());
          if (kafkaIsAway) {
            throw new EbbException.Unavailable("Kafka is away");
          }
          return session();
        },
        (asked, generation) -> sighting);
  }

  @Test
  void reopeningThatFailsIsToldOnceAndTriedLessAndLess() throws Exception {
    LogSession uncertain = session();
    uncertain.abandon("test");
    BranchLog log = log(uncertain);
    for (int i = 0; i < 4; i++) {
      log.reopen(uncertain);
    }
    assertThat(reopenedAtNanos.get(3) - reopenedAtNanos.get(0))
        .as("100 + 200 + 400 ms of pauses")
        .isGreaterThan(690_000_000L);
    kafkaIsAway = false;
    log.reopen(uncertain);

    assertThat(log.session()).isNotSameAs(uncertain);
    assertThat(logged.list).filteredOn(event -> event.getLevel() == Level.WARN).hasSize(1);
    assertThat(logged.list).filteredOn(event -> event.getLevel() == Level.INFO).hasSize(1);
  }

  @Test
  void logOfAReplacedGenerationIsNotOpenedAgain() {
    LogSession uncertain = session();
    uncertain.abandon("test");
    sighting = Sighting.REPLACED;

    assertThatThrownBy(() -> log(uncertain).reopen(uncertain))
        .isInstanceOf(EbbException.Fenced.class);
    assertThat(reopenedAtNanos).isEmpty();
  }
}
