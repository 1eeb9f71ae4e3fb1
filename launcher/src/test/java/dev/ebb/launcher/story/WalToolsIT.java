package dev.ebb.launcher.story;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.ebb.launcher.process.EbbProcess;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalCursor;
import dev.ebb.shared.wal.WalOptions;
import dev.ebb.shared.wal.WalReader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * {@code ebb wal}, beside the server and without it, over a log of which a part is archived. Where
 * Debian's PostgreSQL 15 is installed, its {@code pg_waldump} reads what was exported.
 */
final class WalToolsIT {
  private static final Duration BOUND = Duration.ofSeconds(60);
  private static final Pattern RANGE = Pattern.compile("(\\S+/\\S+) to (\\S+/\\S+) in ");
  private static final Pattern COUNT = Pattern.compile("\"records\":(\\d+)");
  private static final int SEGMENT_BYTES = 4 << 20;
  private static final Path WALDUMP = Path.of("/usr/lib/postgresql/15/bin/pg_waldump");
  private static final int INTERRUPTED = 130;
  private static final int NOBODY_READS = 141;

  @TempDir private Path directory;

  @Test
  void logIsReadBesideTheServerAndWithoutIt() throws Exception {
    try (var server =
        new Server(
            directory,
            "compute.captureWal: 1MB",
            "compute.captureInterval: 2s",
            "wal: {archiveWal: 1MB, archiveAge: 1s}")) {
      server.start();
      Database shop = server.create("shop");
      shop.execute("CREATE TABLE entry (number int PRIMARY KEY, payload text)");
      int rows = 0;
      long begin = System.nanoTime();
      while (server.metric("ebb_wal_trims_total") == 0) {
        assertThat(System.nanoTime() - begin).as("a trim").isLessThan(BOUND.toNanos());
        // Enough to archive and trim at first; then only what keeps snapshots coming.
        int more = rows < 8_000 ? 1_000 : 1;
        shop.execute(
            "INSERT INTO entry SELECT i, repeat(md5(i::text), 10) FROM generate_series(%d, %d) i"
                .formatted(rows + 1, rows + more));
        rows += more;
      }
      if (Files.isExecutable(WALDUMP)) {
        writeAllKinds(server.create("fifteen", 15));
      }
      String file = shop.ask("SELECT pg_relation_filenode('entry')");
      Instant between = Instant.parse(shop.ask("SELECT to_json(clock_timestamp())#>>'{}'"));
      shop.execute("DELETE FROM entry WHERE number = 1");

      var tools = new WalTools(server.data());
      assertThat(tools.run("verify", "shop")).contains(" are right");
      String last = tools.run("tail", "shop", "-n", "500");
      assertThat(last.lines().toList()).anyMatch(line -> line.contains("desc: DELETE"));
      String lsn = tools.lastBefore("shop", between.toString());
      tools.run("replay", "shop", "--to-lsn", lsn, "--as", "shop@then");
      assertThat(shop.at("then").ask("SELECT count(*) FROM entry")).isEqualTo("" + rows);
      assertThat(shop.ask("SELECT count(*) FROM entry")).isEqualTo("" + (rows - 1));

      assertThat(
              tool(
                  Map.of("PGPASSWORD", Database.PASSWORD),
                  0,
                  "dump",
                  "shop",
                  "--relation",
                  "entry",
                  "--rmgr",
                  "heap"))
          .contains("desc: DELETE xmax: ", "/" + file + " blk ");
      assertBadInputIsTold();
      assertEndsWhereNobodyReads("dump", "shop");
      assertEndsWhereNobodyReads("tail", "shop", "--follow");
      assertEndsOnInterruptsWhileKafkaHangs(server);

      server.stop();
      assertThat(wal("verify", "shop")).contains(" are right");
      assertStatistics(rows, file);
      assertThat(wal("dump", "shop", "--rmgr", "heap", "--relation", file, "--json").lines())
          .hasSizeGreaterThan(rows)
          .allMatch(line -> line.contains("\"rmgr\":\"Heap\"") && line.contains("/" + file + "\""));
      Path exported = directory.resolve("exported");
      String range = wal("export", "shop", "--to", exported.toString());
      assertExported(exported, Lsn.parse(range.substring(0, range.indexOf(' '))), rows);
      assertEndsInOrder();
      assertExportIsReadByWaldump();
      damageArchive();
      assertThat(tool(Map.of(), 1, "verify", "shop"))
          .contains("/wal/", " is damaged: the checksum of its records is wrong");
    }
    assumeTrue(
        Files.isExecutable(WALDUMP),
        "all but the comparison with pg_waldump was tested: " + WALDUMP + " is not installed");
  }

  /** Records of many kinds, over several segments. */
  private static void writeAllKinds(Database database) throws Exception {
    database.execute(
        "CREATE TABLE item (id int PRIMARY KEY, body text, at int[], place point)",
        "CREATE INDEX item_body ON item USING hash (body)",
        "CREATE INDEX item_at ON item USING gin (at)",
        "CREATE INDEX item_place ON item USING gist (place)",
        "CREATE INDEX item_spgist ON item USING spgist (body)",
        "CREATE INDEX item_brin ON item USING brin (id)",
        "INSERT INTO item SELECT i, repeat(md5(i::text), 3), ARRAY[i % 7], point(i % 50, i / 50)"
            + " FROM generate_series(1, 8000) i",
        "UPDATE item SET at = at || 8 WHERE id % 3 = 0",
        "DELETE FROM item WHERE id % 5 = 0",
        "VACUUM item",
        "CREATE SEQUENCE ticket",
        "SELECT nextval('ticket')",
        "BEGIN; SAVEPOINT a; INSERT INTO item VALUES (-1); ROLLBACK TO a; INSERT INTO item VALUES"
            + " (-2); COMMIT",
        "BEGIN; INSERT INTO item VALUES (-3); PREPARE TRANSACTION 'two'",
        "COMMIT PREPARED 'two'",
        "BEGIN; INSERT INTO item VALUES (-4); ROLLBACK",
        "ALTER TABLE item ADD more int DEFAULT 7",
        "ALTER TABLE item ALTER id TYPE bigint",
        "CREATE TABLE emptied AS SELECT generate_series(1, 1000)",
        "TRUNCATE emptied",
        "SELECT pg_logical_emit_message(false, 'said', 'a word')",
        "CREATE DATABASE second",
        "DROP DATABASE second");
  }

  /** The first line is read, then nothing more: it ends at once, and says nothing. */
  private void assertEndsWhereNobodyReads(String... words) throws Exception {
    Path errors = directory.resolve("errors");
    String[] all = Stream.concat(Stream.of("wal"), Stream.of(words)).toArray(String[]::new);
    Process process =
        EbbProcess.builder(
                directory.resolve("cli"),
                Map.of("EBB_DATA", directory.resolve("data").toString()),
                all)
            .redirectError(errors.toFile())
            .start();
    try (var lines = process.inputReader()) {
      assertThat(lines.readLine()).contains("rmgr: ");
    }
    assertThat(process.waitFor(BOUND.toSeconds(), TimeUnit.SECONDS)).as("it ended").isTrue();
    assertThat(process.exitValue()).as(Files.readString(errors)).isEqualTo(NOBODY_READS);
    assertThat(Files.readString(errors)).isEmpty();
  }

  /** A read may wait for minutes; who presses Ctrl-C does not. */
  private void assertEndsOnInterruptsWhileKafkaHangs(Server server) throws Exception {
    Map<String, String> environment = Map.of("EBB_DATA", directory.resolve("data").toString());
    try (EbbProcess tail =
        EbbProcess.start(directory.resolve("cli"), environment, "wal", "tail", "shop", "-f")) {
      tail.awaitLine("rmgr: ", BOUND);
      server.signal("STOP");
      try {
        tail.signal("INT");
        assertThat(tail.awaitExit(BOUND)).as(tail.output()).isEqualTo(INTERRUPTED);
      } finally {
        server.signal("CONT");
      }
      assertThat(tail.output()).doesNotContain("Exception", "ebb: ");
    }
  }

  /** Line by line the same, from the first record to the last. */
  private void assertExportIsReadByWaldump() throws Exception {
    if (!Files.isExecutable(WALDUMP)) {
      return;
    }
    Path exported = directory.resolve("fifteen");
    Matcher range = RANGE.matcher(wal("export", "fifteen", "--to", exported.toString()));
    assertThat(range.lookingAt()).isTrue();
    List<String> records = wal("dump", "fifteen").lines().toList();
    assertThat(records).hasSizeGreaterThan(20_000);
    Path errors = directory.resolve("errors");
    Path theirs = directory.resolve("waldump");
    var builder =
        new ProcessBuilder(
                WALDUMP.toString(),
                "-p",
                exported.toString(),
                "-s",
                range.group(1),
                "-e",
                range.group(2))
            .redirectError(errors.toFile())
            .redirectOutput(theirs.toFile());
    builder.environment().put("TZ", "UTC");
    assertThat(builder.start().waitFor()).as(Files.readString(errors)).isZero();
    assertThat(Files.readString(errors)).isEmpty();
    assertThat(Files.readAllLines(theirs)).isEqualTo(records);
  }

  private void assertBadInputIsTold() throws Exception {
    Map<String, List<String>> all =
        Map.of(
            ", before --from F/0", List.of("dump", "shop", "--from", "F/0"),
            "has no branch \"nosuch\"; it has ", List.of("verify", "shop@nosuch"),
            "there is no database \"nosuch\"", List.of("tail", "nosuch"),
            "set PGPASSWORD", List.of("dump", "shop", "--relation", "entry"));
    for (Map.Entry<String, List<String>> bad : all.entrySet()) {
      assertThat(tool(Map.of(), 1, bad.getValue().toArray(String[]::new))).contains(bad.getKey());
    }
  }

  /** Interrupted: a broker that was closed leaves its mark. */
  private void assertEndsInOrder() throws Exception {
    Path data = directory.resolve("data");
    Path temporary = Files.createDirectories(directory.resolve("tmp"));
    Map<String, String> environment =
        Map.of("EBB_DATA", data.toString(), "JAVA_TOOL_OPTIONS", "-Djava.io.tmpdir=" + temporary);
    try (EbbProcess tail =
        EbbProcess.start(directory.resolve("cli"), environment, "wal", "tail", "shop", "-f")) {
      tail.awaitLine("rmgr: ", BOUND);
      tail.terminate();
      tail.awaitExit(BOUND);
    }
    assertThat(data.resolve("kafka/data/.kafka_cleanshutdown")).as("of the broker").exists();
    try (Stream<Path> left = Files.list(temporary)) {
      assertThat(left.filter(file -> !file.getFileName().toString().startsWith("hsperf")))
          .as("temporary files")
          .isEmpty();
    }
  }

  /** All of it: what Kafka still has is not read from there. */
  private void damageArchive() throws IOException {
    try (Stream<Path> files = Files.walk(directory.resolve("data/store"))) {
      for (Path archived :
          files
              .filter(file -> file.toString().contains("/wal/") && Files.isRegularFile(file))
              .toList()) {
        byte[] bytes = Files.readAllBytes(archived);
        bytes[bytes.length / 2] ^= 1;
        Files.write(archived, bytes);
      }
    }
  }

  private void assertStatistics(int rows, String file) throws Exception {
    String json = wal("stats", "shop", "--json");
    List<Long> counts =
        COUNT
            .matcher(json.substring(0, json.indexOf("\"relations\"")))
            .results()
            .map(found -> Long.parseLong(found.group(1)))
            .toList();
    assertThat(counts.stream().skip(1).mapToLong(Long::longValue).sum())
        .as("of all managers")
        .isEqualTo(counts.getFirst())
        .isGreaterThan(rows);
    assertThat(json).contains("/" + file + "\"");
    assertThat(wal("stats", "shop")).contains("Heap", "Btree", "###", " records, ");
  }

  /** The files are what PostgreSQL would have: each a segment, with records from page to page. */
  private static void assertExported(Path exported, Lsn first, int rows) throws Exception {
    try (Stream<Path> files = Files.list(exported)) {
      assertThat(files.toList())
          .isNotEmpty()
          .allMatch(file -> file.toFile().length() == SEGMENT_BYTES)
          .allMatch(file -> file.getFileName().toString().matches("00000001[0-9A-F]{16}"));
    }
    Lsn page = new Lsn((first.value() + 8191) / 8192 * 8192);
    var reader = WalReader.seeking(WalOptions.ofSegments(SEGMENT_BYTES), page, page);
    var cursor =
        new WalCursor(
            reader, (at, into, offset, length) -> read(exported, at, into, offset, length));
    int records = 0;
    while (cursor.next()) {
      records++;
    }
    assertThat(records).isGreaterThan(rows);
  }

  private static int read(Path exported, Lsn at, byte[] into, int offset, int length)
      throws IOException {
    long segment = at.value() / SEGMENT_BYTES;
    Path file = exported.resolve("0000000100000000%08X".formatted(segment));
    if (!Files.exists(file)) {
      return 0;
    }
    try (FileChannel channel = FileChannel.open(file)) {
      return channel.read(ByteBuffer.wrap(into, offset, length), at.value() % SEGMENT_BYTES);
    }
  }

  private String wal(String... words) throws Exception {
    return tool(Map.of(), 0, words);
  }

  private String tool(Map<String, String> environment, int code, String... words) throws Exception {
    Stream<String> all = Stream.concat(Stream.of("wal"), Stream.of(words));
    var whole = new HashMap<>(environment);
    whole.put("EBB_DATA", directory.resolve("data").toString());
    try (EbbProcess tool =
        EbbProcess.start(directory.resolve("cli"), whole, all.toArray(String[]::new))) {
      assertThat(tool.awaitExit(BOUND)).as(tool.output()).isEqualTo(code);
      // What the log says beside it is on standard error.
      return tool.output()
          .lines()
          .filter(line -> !line.matches("\\d\\d:\\d\\d:\\d\\d.*"))
          .collect(Collectors.joining("\n"));
    }
  }
}
