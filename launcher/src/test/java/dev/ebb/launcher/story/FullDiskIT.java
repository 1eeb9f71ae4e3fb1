package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.ebb.launcher.client.ApiException;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A cache on a file system that fills up. */
final class FullDiskIT {
  private static final Duration BOUND = Duration.ofSeconds(60);
  private static final int ROW_BYTES = 2_000;
  private static final int LEFT_BYTES = 6_000_000;

  /** The disk is full, a file could not be read or written for it, or the compute ended of it. */
  private static final String NO_SPACE = "53100|58030|57P0\\d|08\\w{3}";

  @TempDir private static Path directory;
  private static boolean mounted;
  private static Server server;

  @BeforeAll
  static void start() throws Exception {
    Path disk = Files.createDirectories(directory.resolve("disk"));
    mounted = run("mount", "-t", "tmpfs", "-o", "size=400m,mode=0755", "tmpfs", disk.toString());
    assumeTrue(mounted, "mounting a small file system needs root");
    server = new Server(directory, disk.resolve("cache")).start();
  }

  @AfterAll
  static void stop() throws Exception {
    if (server != null) {
      server.close();
    }
    if (mounted) {
      run("umount", directory.resolve("disk").toString());
    }
  }

  private static boolean run(String... command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).inheritIO().start();
    return process.waitFor(BOUND.toSeconds(), TimeUnit.SECONDS) && process.exitValue() == 0;
  }

  /** A file that leaves so much of the disk. */
  private static Path fill(int leftBytes) throws IOException {
    Path filler = directory.resolve("disk").resolve("filler");
    long left = Files.getFileStore(filler.getParent()).getUsableSpace() - leftBytes;
    var block = new byte[1 << 16];
    try (OutputStream out = Files.newOutputStream(filler)) {
      for (; left > 0; left -= block.length) {
        out.write(block);
      }
    } catch (IOException e) {
      if (leftBytes > 0) {
        throw e;
      } // full is what it should be
    }
    return filler;
  }

  /** Inserts rows until that fails: how many were acknowledged, and the failure. */
  private record Writes(int acknowledged, SQLException failure) {}

  private static Writes writeUntilFailure(Database database, int from) throws SQLException {
    int acknowledged = 0;
    try (Connection connection = database.connect();
        PreparedStatement insert = connection.prepareStatement("INSERT INTO item VALUES (?, ?)")) {
      String body = "x".repeat(ROW_BYTES);
      while (acknowledged < 100_000) {
        insert.setInt(1, from + acknowledged);
        insert.setString(2, body);
        insert.execute();
        acknowledged++;
      }
    } catch (SQLException e) {
      return new Writes(acknowledged, e);
    }
    throw new AssertionError("the disk did not fill up");
  }

  @Test
  void writerIsToldAndEveryAcknowledgedRowIsThereOnceSpaceIsFree() throws Exception {
    Database shop = server.create("shop");
    Database other = server.create("other");
    other.execute("CREATE TABLE item AS SELECT 7 AS id");
    shop.execute("CREATE TABLE item (id int PRIMARY KEY, body text)");
    shop.execute("ALTER TABLE item ALTER body SET STORAGE PLAIN");

    Path filler = fill(LEFT_BYTES);
    Writes writes = writeUntilFailure(shop, 0);
    assertThat(writes.acknowledged()).isPositive();
    assertThat(writes.failure().getSQLState()).as("%s", writes.failure()).matches(NO_SPACE);

    // Whether it can serve now or not: who asks is answered.
    assertThat(server.get("/healthz/live")).isNotEmpty();
    assertThat(String.valueOf(server.api().send("GET", "/v1/databases", null))).contains("shop");
    for (Database database : new Database[] {shop, other}) {
      try {
        assertThat(database.ask("SELECT count(*) FROM item")).isNotEmpty();
      } catch (SQLException e) {
        assertThat(e.getSQLState()).as("%s", e).matches(NO_SPACE);
      }
    }

    Files.delete(filler);
    Await.until("the database works again", BOUND, () -> works(shop));
    assertThat(Integer.parseInt(shop.ask("SELECT count(*) FROM item WHERE id >= 0")))
        .as("acknowledged, and at most the one that was being written")
        .isBetween(writes.acknowledged(), writes.acknowledged() + 1);
    assertThat(other.ask("SELECT id FROM item")).isEqualTo("7");
    shop.suspend();
    assertThat(Integer.parseInt(shop.ask("SELECT count(*) FROM item WHERE id >= 0")))
        .isBetween(writes.acknowledged(), writes.acknowledged() + 1);
    Amcheck.assertSound(shop);
  }

  @Test
  void wakeOnAFullDiskIsRefusedWithTheReason() throws Exception {
    Database late = server.create("late");
    late.execute("CREATE TABLE item AS SELECT 8 AS id");
    late.suspend();
    Path filler = fill(0);
    assertThatExceptionOfType(SQLException.class)
        .isThrownBy(() -> late.ask("SELECT id FROM item"))
        .returns("57P03", SQLException::getSQLState)
        .withMessageContaining("No space left on device");
    Files.delete(filler);
    assertThat(late.ask("SELECT id FROM item")).isEqualTo("8");
  }

  @Test
  void nameOfADatabaseThatCouldNotBeMadeIsFreeAgain() throws Exception {
    Path filler = fill(0);
    assertThatExceptionOfType(ApiException.Refused.class)
        .isThrownBy(() -> server.create("second-try"))
        .returns(503, ApiException.Refused::status);
    assertThat(String.valueOf(server.api().send("GET", "/v1/databases", null)))
        .as("a failed creation leaves nothing in the catalog")
        .doesNotContain("second-try");

    Files.delete(filler);
    Database made = server.create("second-try");
    made.execute("CREATE TABLE item AS SELECT 9 AS id");
    assertThat(made.ask("SELECT id FROM item")).isEqualTo("9");
  }

  private static boolean works(Database database) {
    try {
      database.execute("INSERT INTO item VALUES (-1, 'x')", "DELETE FROM item WHERE id = -1");
      return true;
    } catch (SQLException e) {
      return false;
    }
  }
}
