package dev.ebb.walservice;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
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
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** A topic that somebody deletes in Kafka while a primary writes to it: Kafka tells nobody. */
final class MissingTopicsTest {
  private static final Lsn START = new Lsn(0x20000A0);
  private static final Duration TIMEOUT = Duration.ofSeconds(5);

  private final BranchId branch = BranchId.random();
  private final WalMetrics metrics = new WalMetrics(new SimpleMeterRegistry());
  private final Logger logger = (Logger) LoggerFactory.getLogger(MissingTopics.class);
  private final ListAppender<ILoggingEvent> logged = new ListAppender<>();
  private final MemoryTopics topics = new MemoryTopics();
  private final MissingTopics missing = new MissingTopics(topics, Duration.ofNanos(1));
  private LogSession session;
  private Map<BranchId, BranchLog> logs;

  @BeforeEach
  void open() throws Exception {
    logged.start();
    logger.addAppender(logged);
    topics.create(branch, TIMEOUT);
    var writer =
        new LogWriter(
            new Term(new Generation(3), 1),
            new Opening(START, true, -1, START),
            fromHint -> {
              throw new AssertionError("nothing is to be folded");
            },
            fold -> START);
    session = new LogSession(topics, branch, writer, Runnable::run, metrics, 1 << 20);
    assertThat(session.open().get(5, TimeUnit.SECONDS)).isEqualTo(START);
    var log =
        new BranchLog(
            branch,
            new Generation(3),
            new BranchLog.Beginning(null, START, topics.identity(branch, TIMEOUT)),
            session,
            StreamStart.at(START),
            (primary, start) -> {
              throw new SQLException("not used");
            },
            metrics,
            uncertain -> {
              throw new AssertionError("nothing is to be opened again");
            },
            (asked, generation) -> Sighting.ANNOUNCED);
    logs = Map.of(branch, log);
    assertThat(session.append(START, new byte[8])).isTrue();
  }

  @AfterEach
  void stopListening() {
    logger.detachAppender(logged);
  }

  private List<String> told() {
    return logged.list.stream()
        .filter(event -> event.getLevel() == Level.ERROR)
        .map(ILoggingEvent::getFormattedMessage)
        .toList();
  }

  /** A commit from now on waits, as it does while Kafka is away. */
  private void commit() throws InterruptedException {
    topics.mute();
    assertThat(session.append(START.plus(8), new byte[8])).isTrue();
  }

  private void assertThatItWaits() {
    assertThat(session.durable()).isEqualTo(START.plus(8));
    assertThat(session.end()).isNull();
  }

  @Test
  void deletedTopicThatCommitsWaitForIsToldOnce() throws Exception {
    commit();
    missing.look(logs);
    missing.look(logs);
    assertThat(told()).as("it is there").isEmpty();

    topics.delete(branch, TIMEOUT);
    missing.look(logs);
    assertThat(told()).as("a broker may have just started").isEmpty();
    missing.look(logs);
    missing.look(logs);

    assertThat(told())
        .singleElement()
        .asString()
        .contains(branch + " was deleted: its commits wait", "pg_dump");
    assertThatItWaits();
  }

  @Test
  void topicThatWasMadeAgainIsNotTheSame() throws Exception {
    commit();
    topics.delete(branch, TIMEOUT);
    topics.create(branch, TIMEOUT);
    missing.look(logs);
    missing.look(logs);

    assertThat(told()).singleElement().asString().contains("was deleted and made again");
    assertThatItWaits();
  }

  @Test
  void topicThatNoCommitWaitsForIsNotLookedAt() {
    topics.delete(branch, TIMEOUT);
    missing.look(logs);
    missing.look(logs);

    assertThat(told()).isEmpty();
  }
}
