package dev.ebb.shared.wal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.text.RecordText;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * The decoder beside {@code pg_waldump}, over the WAL of pgbench and of all kinds of DDL. Wants the
 * server package of Debian's PostgreSQL. {@code -Debb.soak=true} compares and damages more, and
 * tells how fast the two are.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class WaldumpIT {
  private static final Path DEBIAN = Path.of("/usr/lib/postgresql");
  private static final String[] SETTINGS = {"shared_buffers=64MB", "autovacuum=off"};
  private static final Pattern STATS = Pattern.compile("^(\\w+/\\S.*?) +(\\d+) \\( *[\\d.]+\\) .*");

  private final Set<Integer> lasting = new HashSet<>();
  private @Nullable WalServer started;

  @BeforeAll
  void writeWal() throws Exception {
    Path bin = DEBIAN.resolve("15/bin");
    for (String program : List.of("initdb", "postgres", "pg_waldump", "pgbench")) {
      assumeTrue(Files.isExecutable(bin.resolve(program)), "PostgreSQL 15 has no " + program);
    }
    WalServer server = new WalServer(bin, 4);
    started = server;
    server.start(SETTINGS);
    var load = new WalLoad(server);
    pgbench("-i", "-s", "1");
    load.round("plain", "off");
    if (WalLoad.SOAK) {
      load.round("packed", "pglz");
      server.stop("INT");
      server.start("shared_buffers=2MB", "autovacuum=on", "autovacuum_naptime=1s");
      pgbench("-c", "4", "-T", "6", "-N");
      load.round("four", "lz4");
    }
    server.stop("QUIT");
    server.start("wal_consistency_checking=all", "autovacuum=off");
    load.round("standard", "zstd");
    pgbench("-c", "2", "-t", "200");
    server.stop("INT");
    server.start(SETTINGS);
    load.crashInsideOfARecord(SETTINGS);
    for (String compression : List.of("off", "pglz", "lz4", "zstd")) {
      lasting.addAll(load.lasting(compression));
    }
    server.stop("INT");
  }

  @AfterAll
  void end() throws Exception {
    if (started != null) {
      started.close();
    }
  }

  private WalServer server() {
    return Objects.requireNonNull(started);
  }

  private void pgbench(String... options) {
    var arguments =
        new ArrayList<>(
            List.of("-h", "127.0.0.1", "-p", Integer.toString(server().port()), "-U", "postgres"));
    arguments.addAll(Arrays.asList(options));
    arguments.add("postgres");
    server().program("pgbench", arguments.toArray(String[]::new));
  }

  private Process waldump(String... options) throws IOException {
    var arguments = new ArrayList<>(Arrays.asList(options));
    arguments.addAll(
        List.of("-p", server().wal().toString(), "-s", server().firstLsn().toString()));
    var builder =
        new ProcessBuilder(server().command("pg_waldump", arguments.toArray(String[]::new)));
    builder.environment().put("TZ", "UTC");
    // At the end it complains about what is not there.
    builder.redirectError(ProcessBuilder.Redirect.DISCARD);
    return builder.start();
  }

  @Test
  void everyRecordIsTheOneThatWaldumpShows() throws Exception {
    var kinds = new TreeMap<String, Integer>();
    var flags = new TreeSet<String>();
    long records = 0;
    WalCursor cursor = server().cursor();
    Process process = waldump();
    try (var lines =
        new BufferedReader(
            new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
      while (cursor.next()) {
        WalRecord record = cursor.record();
        String text = lines.readLine();
        if (records == 0 && text.startsWith("first record is after")) {
          text = lines.readLine();
        }
        assertThat(text).as("the record at " + record.start()).isNotNull();
        String line = RecordText.line(record);
        if (!line.equals(text)) {
          assertThat(line).isEqualTo(text);
        }
        records++;
        kinds.merge(record.resourceManagerName() + '/' + record.name(), 1, Integer::sum);
        for (int i = 0; i < record.blocks(); i++) {
          WalBlock block = record.block(i);
          flags.add(
              block.fork()
                  + (block.hasImage() ? " " + block.compression() : "")
                  + (block.hasImage() && !block.imageApplies() ? " unapplied" : "")
                  + (block.hasImage() && block.holeBytes() > 0 ? " hole" : ""));
        }
      }
      assertThat(lines.readLine()).isNull();
    } finally {
      process.destroy();
    }
    assertThat(cursor.reader().overwritten().isValid()).isTrue();
    assertThat(kinds)
        .containsKeys(
            "XLOG/SWITCH",
            "XLOG/OVERWRITE_CONTRECORD",
            "Transaction/COMMIT_PREPARED",
            "Transaction/ABORT_PREPARED",
            "Transaction/ABORT",
            "Heap/HOT_UPDATE",
            "Heap2/PRUNE",
            "MultiXact/CREATE_ID",
            "LogicalMessage/MESSAGE",
            "Database/CREATE_FILE_COPY",
            "Database/CREATE_WAL_LOG",
            "Storage/TRUNCATE",
            "Sequence/LOG",
            "ReplicationOrigin/DROP");
    assertThat(kinds.keySet())
        .anyMatch(kind -> kind.startsWith("Gin/"))
        .anyMatch(kind -> kind.startsWith("Gist/"))
        .anyMatch(kind -> kind.startsWith("SPGist/"))
        .anyMatch(kind -> kind.startsWith("Hash/"))
        .anyMatch(kind -> kind.startsWith("BRIN/"))
        .anyMatch(kind -> kind.startsWith("Btree/"))
        .noneMatch(kind -> kind.contains("UNKNOWN"));
    assertThat(flags)
        .contains(
            "main PGLZ hole",
            "main LZ4 hole",
            "main ZSTD hole",
            "main NONE hole",
            "main ZSTD unapplied hole",
            "vm",
            "fsm ZSTD",
            "init NONE hole");
    System.out.printf(
        "%d records of %d kinds, up to %s, are the same; blocks: %s%n%s%n",
        records, kinds.size(), cursor.reader().end(), flags, kinds);
  }

  @Test
  void totalsAreThoseOfWaldump() throws Exception {
    record Total(long count, long recordBytes, long imageBytes) {}
    Map<String, Total> mine = new HashMap<>();
    WalCursor cursor = server().cursor();
    while (cursor.next()) {
      WalRecord record = cursor.record();
      mine.merge(
          record.resourceManagerName() + '/' + record.name(),
          new Total(1, record.bytesWithoutImages(), record.imageBytes()),
          (a, b) ->
              new Total(
                  a.count() + b.count(),
                  a.recordBytes() + b.recordBytes(),
                  a.imageBytes() + b.imageBytes()));
    }
    Map<String, Total> theirs = new HashMap<>();
    // Without an end it gives up instead of summing up.
    Process process = waldump("--stats=record", "-e", cursor.reader().end().toString());
    for (String line : process.inputReader().lines().toList()) {
      Matcher matcher = STATS.matcher(line);
      if (matcher.matches()) {
        String[] numbers = line.substring(matcher.end(1)).split("\\([^)]*\\)", -1);
        theirs.put(
            matcher.group(1),
            new Total(number(numbers[0]), number(numbers[1]), number(numbers[2])));
      }
    }
    assertThat(theirs).isEqualTo(mine);
  }

  private static long number(String text) {
    return Long.parseLong(text.strip());
  }

  @Test
  void managersAreThoseOfWaldump() throws Exception {
    var builder = new ProcessBuilder(server().command("pg_waldump", "--rmgr=list"));
    List<String> names = builder.start().inputReader().lines().toList();
    assertThat(names)
        .isEqualTo(Arrays.stream(ResourceManager.values()).map(Object::toString).toList());
  }

  @Test
  void imagesUnpackToThePagesInTheFiles() throws Exception {
    var pages = new LastingPages();
    WalCursor cursor = server().cursor();
    while (cursor.next()) {
      pages.note(cursor.record());
    }
    Map<ImageCompression, Integer> same = pages.compare(server().data(), lasting);
    System.out.printf(
        "%s images unpacked; found in the files, byte by byte: %s%n", pages.unpacked(), same);
    assertThat(same).containsOnlyKeys(ImageCompression.values());
  }

  @Test
  void everyStartFindsTheRecordThatWaldumpFinds() throws Exception {
    // Of some positions in all segments: the next record, by a reader that begins at that page.
    WalCursor all = server().cursor();
    var starts = new TreeSet<Long>();
    while (all.next()) {
      starts.add(all.record().start().value());
    }
    var random = new Random(1);
    for (int i = 0; i < 500; i++) {
      long span = starts.last() - starts.first();
      var from = new Lsn(starts.first() + random.nextLong(span));
      var page = new Lsn(from.value() & -8192L);
      var reader = WalReader.seeking(WalOptions.ofSegments(server().segmentBytes), page, from);
      var cursor = new WalCursor(reader, server()::read);
      long expected = starts.ceiling(from.value());
      if (cursor.next()) {
        assertThat(cursor.record().start().value()).isEqualTo(expected);
      } else {
        // Inside of a switched segment's padding.
        assertThat(cursor.atZeroes()).isTrue();
        assertThat(expected / server().segmentBytes)
            .isGreaterThan(from.value() / server().segmentBytes);
      }
    }
  }

  @Test
  void damagedWalNeverLoopsOverrunsOrFillsMemory() throws Exception {
    long seed = Long.getLong("ebb.fuzz.seed", System.nanoTime());
    System.out.println("ebb.fuzz.seed=" + seed);
    long span = server().endOfWal().minus(server().firstLsn());
    for (int part = 0; part < 4; part++) {
      // Of each way to pack images, and of the end.
      byte[] wal = new byte[8 << 20];
      Lsn start = server().firstLsn().plus((span - wal.length) * part / 3 & -8192L);
      for (int got = 0; got < wal.length; ) {
        got += server().read(start.plus(got), wal, got, wal.length - got);
      }
      System.out.println(
          new WalFuzz(wal, start, server().segmentBytes).run(seed, WalLoad.SOAK ? 2_000 : 300));
    }
  }

  @Test
  void speedBesideWaldump() throws Exception {
    assumeTrue(WalLoad.SOAK, "takes too long: ./ebb test --soak");
    long bytes = 0;
    for (int round = 0; round < 4; round++) {
      WalCursor cursor = server().cursor();
      long began = System.nanoTime();
      long records = 0;
      long blocks = 0;
      while (cursor.next()) {
        records++;
        blocks += cursor.record().blocks();
      }
      double mine = (System.nanoTime() - began) / 1e9;
      bytes = cursor.reader().end().minus(server().firstLsn());
      began = System.nanoTime();
      Process process = waldump("--quiet", "-e", cursor.reader().end().toString());
      assertThat(process.waitFor()).isZero();
      double theirs = (System.nanoTime() - began) / 1e9;
      System.out.printf(
          "%,d bytes, %,d records, %,d blocks: decoder %.3f s (%.0f MB/s, %,.0f records/s),"
              + " pg_waldump --quiet %.3f s (%.0f MB/s): %.2f times as fast%n",
          bytes,
          records,
          blocks,
          mine,
          bytes / mine / 1e6,
          records / mine,
          theirs,
          bytes / theirs / 1e6,
          theirs / mine);
    }
    assertThat(bytes).isPositive();
  }
}
