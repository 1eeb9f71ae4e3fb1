package dev.ebb.gateway;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.gateway.pool.PoolConfig;
import io.vertx.core.buffer.Buffer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What fuzzing and others' test suites found, each for itself. */
final class PoolProtocolIT {
  private static final int LARGE = 20_000_000;

  @TempDir private static Path directory;
  private static GatewayFixture gateway;

  @BeforeAll
  static void start() {
    gateway = new GatewayFixture(directory, config -> config.withPool(0, PoolConfig.DEFAULT));
  }

  @AfterAll
  static void stop() {
    gateway.close();
  }

  private static RawClient pooled() throws Exception {
    return RawClient.login(gateway.poolPort, "app", RealPostgres.PASSWORD, "shop");
  }

  /** Types of the messages; the last may be cut off. */
  private static String types(String stream) {
    Buffer in = Buffer.buffer(stream, StandardCharsets.ISO_8859_1.name());
    var types = new StringBuilder();
    long at = 0;
    while (at + 5 <= in.length()) {
      types.append((char) in.getByte((int) at));
      at += in.getInt((int) at + 1) + 1L;
    }
    return types.toString();
  }

  @Test
  void errorIsNeverPutIntoARow() throws Exception {
    try (var client = pooled()) {
      client.query("SELECT repeat('x', " + LARGE + ")");
      byte[] begun = client.readSome();
      assertThat(begun).isNotNull();
      client.send(new byte[] {'%', 0, 0, 0, 4});
      String all = new String(begun, StandardCharsets.ISO_8859_1) + client.readToEnd();
      assertThat(all.substring(100)).doesNotContain("SFATAL");
    }
  }

  @Test
  void whatWasAskedBeforeTerminateIsAnswered() throws Exception {
    for (int port : List.of(gateway.port, gateway.poolPort)) {
      try (var client = RawClient.login(port, "app", RealPostgres.PASSWORD, "shop")) {
        var wire = new Wire();
        wire.query("SELECT pg_sleep(0.2)").parse("", "SELECT 'second'").bind("", "", null);
        wire.execute("", 0).sync().query("SELECT 'third'").raw('X', new byte[0]);
        client.send(wire.bytes());
        client.endOutput();
        assertThat(client.readToEnd()).contains("second", "third");
      }
    }
    Await.until("no session", () -> gateway.gauge("ebb.gateway.connections") == 0);
  }

  @Test
  void whoSaysGoodbyeIsNotToldThatTheConnectionWasLost() throws Exception {
    for (int port : List.of(gateway.port, gateway.poolPort)) {
      try (var client = RawClient.login(port, "app", RealPostgres.PASSWORD, "shop")) {
        client.query("SELECT 1");
        client.readUntilReady();
        client.send(new Wire().raw('X', new byte[0]).bytes());
        assertThat(client.readToEnd()).isEmpty();
      }
    }
  }

  @Test
  void terminateInTheMiddleOfACopyEndsTheSession() throws Exception {
    try (var client = pooled()) {
      client.send(
          new Wire()
              .query("CREATE TEMP TABLE copied (a text); COPY copied FROM STDIN")
              .raw('X', new byte[0])
              .bytes());
      assertThat(types(client.readToEnd())).isEqualTo("CG");
    }
  }

  @Test
  void terminateThatIsNotWholeIsNone() throws Exception {
    try (var client = pooled()) {
      client.send(new byte[] {'X', 0, 0, 16, 4, 1, 2, 3});
      client.endOutput();
      assertThat(client.readToEnd()).isEmpty();
    }
  }

  @Test
  void whatDoesNotBelongIntoACopyEndsTheSessionAndNoOthers() throws Exception {
    String copy = "CREATE TEMP TABLE copied (a text); COPY copied FROM STDIN";
    for (boolean isAhead : new boolean[] {true, false}) {
      try (var client = pooled();
          var other = pooled()) {
        if (isAhead) {
          client.send(new Wire().query(copy).copyData("1\n").query("SELECT 7").bytes());
        } else {
          client.query(copy);
          client.expect('C');
          client.expect('G');
          client.send(new Wire().copyData("1\n").query("SELECT 7").bytes());
        }
        assertThat(client.readToEnd()).contains("SFATAL", "C08P01", "during COPY from stdin");
        other.query("SELECT 'goes on'");
        assertThat(other.readUntilReady()).contains("goes on");
      }
    }
  }

  @Test
  void syncWithABodyIsRefused() throws Exception {
    for (char type : new char[] {'S', 'H'}) {
      try (var client = pooled()) {
        client.send(new Wire().query("SELECT 1").raw(type, new byte[] {1}).bytes());
        assertThat(client.readToEnd()).contains("C08P01");
      }
    }
  }

  /** What must wait for an answer is not gathered meanwhile. */
  @Test
  void floodBehindAStatementThatTakesLongIsHeldBack() throws Exception {
    int queries = 64;
    byte[] large = new Wire().query("SELECT '" + "x".repeat(1 << 20) + "' LIMIT 0").bytes();
    var written = new AtomicLong();
    try (var client = pooled()) {
      client.send(
          new Wire()
              .parse("", "SELECT pg_sleep(1)")
              .bind("", "", null)
              .execute("", 0)
              .sync()
              .bytes());
      Thread flood =
          Thread.ofVirtual()
              .start(() -> {
                try {
                  for (int i = 0; i < queries; i++) {
                    client.send(large);
                    written.addAndGet(large.length);
                  }
                } catch (IOException e) {
                  written.addAndGet(Long.MIN_VALUE / 2);
                }
              });
      client.transcript(1);
      assertThat(written.get()).isBetween(0L, 40L << 20);
      client.transcript(queries);
      flood.join();
      assertThat(written).hasValue((long) queries * large.length);
    }
  }
}
