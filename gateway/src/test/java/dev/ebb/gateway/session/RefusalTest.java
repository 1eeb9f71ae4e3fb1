package dev.ebb.gateway.session;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.ebb.shared.error.EbbException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.LoggerFactory;

final class RefusalTest {
  private static final String DOING = "cannot wake \"shop@main\"";

  private final Logger logger = (Logger) LoggerFactory.getLogger(Refusal.class);
  private final ListAppender<ILoggingEvent> logged = new ListAppender<>();

  @BeforeEach
  void listen() {
    logged.start();
    logger.addAppender(logged);
  }

  @AfterEach
  void stopListening() {
    logger.detachAppender(logged);
  }

  /** What services say of their insides. */
  static Stream<Throwable> insides() {
    return Stream.of(
        new EbbException.Unavailable(
            "cannot lay out a compute: java.nio.file.FileSystemException:"
                + " /var/cache/ebb/b1/base/5/1259: Input/output error"),
        new EbbException.Unavailable("ebb.wal.h7 did not answer OpenLog in time"),
        new EbbException.Unavailable("Connection refused: /127.0.0.1:40123"),
        new EbbException.Corrupt(
            "/var/lib/ebb/store/branches/b1/manifests/s-1: a manifest is damaged"),
        new EbbException.Corrupt("PostgreSQL must not start on this data directory: /var/x"),
        new EbbException.Conflict("/var/lib/ebb/cache/b1 exists already"),
        new EbbException.Fenced("the log ends at 0/16B3748 in /var/x"),
        new EbbException.Exhausted("all 7 computes of host /127.0.0.1 are in use"),
        new EbbException.NotFound("there is no manifest /var/x"),
        new EbbException.Invalid("/opt/pg/bin/postgres is PostgreSQL 18.1"),
        new IllegalStateException("/var/x"));
  }

  @ParameterizedTest
  @MethodSource("insides")
  void clientIsToldNoInsidesAndTheLogHasThemUnderItsWord(Throwable error) {
    String told = Refusal.of(DOING, error).error().message();

    assertThat(told)
        .startsWith(DOING + ": ")
        .doesNotContain("/var", "/opt", "127.0.0.1", "ebb.wal", "Exception", "0/16B3748");
    Matcher word = Pattern.compile("\\[([0-9a-f]{8})\\]$").matcher(told);
    assertThat(word.find()).as(told).isTrue();
    assertThat(logged.list).hasSize(1);
    assertThat(logged.list.getFirst().getFormattedMessage())
        .contains(word.group(1), DOING, String.valueOf(error.getMessage()));
  }

  @Test
  void corruptObjectIsNamedByItsKey() {
    var refusal =
        Refusal.of(
            DOING,
            new EbbException.Corrupt(
                "/var/lib/ebb/store/branches/b1/manifests/s-1: a manifest is damaged"));
    assertThat(refusal.error().sqlState()).isEqualTo("57P03");
    assertThat(refusal.error().message())
        .contains("stored data is corrupt: branches/b1/manifests/s-1: ");
  }

  @Test
  void fullDiskIsSaidToBeFull() {
    var refusal =
        Refusal.of(
            DOING,
            new EbbException.Unavailable(
                "java.nio.file.FileSystemException: /var/x: No space left on device"));
    assertThat(refusal.error().sqlState()).isEqualTo("57P03");
    assertThat(refusal.error().message())
        .contains("disk is full (No space left on device)")
        .doesNotContain("/var");
  }

  @Test
  void whatTheGatewaySaysItselfIsLeftAsItIs() {
    var own = new Refusal("28P01", "password authentication failed for user \"app\"");
    assertThat(Refusal.of(DOING, own)).isSameAs(own);
    assertThat(logged.list).isEmpty();
  }
}
