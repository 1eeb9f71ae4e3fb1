package dev.ebb.shared.wal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.text.RecordText;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/**
 * The decoder beside the extension {@code pg_walinspect} of the PostgreSQL 18 that Ebb runs: every
 * record, every reference to a block, every page image as it unpacks. Another version's archive of
 * the same make may be named by the property {@code ebb.wal.postgres}; the extension compares from
 * 16 on. {@code -Debb.soak=true} compares three times as much.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class WalInspectIT {
  private static final String ARCHIVE = "/postgres-linux-x86_64.txz";
  private static final int RECORDS_AT_ONCE = 5_000;

  private static final Pattern TIME =
      Pattern.compile("(\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d)(?:\\.(?=\\d))?(\\d*)\\+00\\b");

  private @Nullable WalServer started;
  private @Nullable Path binaries;
  private final Set<Integer> lasting = new HashSet<>();
  private long blocksSeen;
  private long imagesSeen;

  @BeforeAll
  void writeWal() throws Exception {
    Path unpacked = Files.createTempDirectory("ebb-wal-inspect");
    binaries = unpacked;
    Files.setPosixFilePermissions(unpacked, PosixFilePermissions.fromString("rwxr-xr-x"));
    String other = System.getProperty("ebb.wal.postgres", "");
    try (InputStream archive =
        other.isEmpty()
            ? WalInspectIT.class.getResourceAsStream(ARCHIVE)
            : Files.newInputStream(Path.of(other))) {
      assumeTrue(archive != null, "there is no PostgreSQL 18 for this machine's processor");
      Path file = unpacked.resolve("archive.txz");
      Files.copy(archive, file);
      WalServer.exec(List.of("tar", "xJf", file.toString(), "-C", unpacked.toString()));
      Files.delete(file);
    }
    WalServer server = new WalServer(unpacked.resolve("bin"), 1);
    started = server;
    server.start("autovacuum=off");
    var load = new WalLoad(server);
    load.round("packed", "pglz");
    if (WalLoad.SOAK) {
      load.round("plain", "off");
      server.stop("QUIT");
      server.start("wal_consistency_checking=all", "shared_buffers=4MB");
      load.round("checked", "pglz");
    }
    load.crashInsideOfARecord();
    lasting.addAll(load.lasting("off"));
    lasting.addAll(load.lasting("pglz"));
  }

  @AfterAll
  void end() throws Exception {
    if (started != null) {
      started.close();
    }
    if (binaries != null) {
      WalServer.exec(List.of("rm", "-rf", binaries.toString()));
    }
  }

  /** One reference to a block, as both sides say it. */
  private record Block(
      Lsn record,
      int id,
      String relation,
      int fork,
      long number,
      int dataBytes,
      int imageBytes,
      String imageInfo,
      @Nullable ByteBuffer data,
      @Nullable ByteBuffer image) {}

  private record Whole(
      Lsn start,
      Lsn end,
      Lsn previous,
      long xid,
      String manager,
      String name,
      int length,
      int mainBytes,
      int imageBytes,
      String description) {}

  @Test
  void everyRecordBlockAndImageIsTheOneThatTheServerShows() throws Exception {
    WalServer server = Objects.requireNonNull(started);
    try (Connection connection = server.connect("postgres");
        var statement = connection.createStatement()) {
      assumeTrue(
          isThere(connection),
          "this PostgreSQL does not come with the functions of the extension pg_walinspect");
      statement.execute("create extension pg_walinspect");
      statement.execute("set timezone = 'UTC'");
      statement.execute("checkpoint");
      WalCursor cursor = server.cursor();
      var kinds = new TreeMap<String, Integer>();
      List<Whole> records = new ArrayList<>();
      List<Block> blocks = new ArrayList<>();
      long count = 0;
      boolean more = true;
      while (more) {
        more = cursor.next();
        if (more) {
          WalRecord record = cursor.record();
          count++;
          records.add(whole(record));
          addBlocks(record, blocks);
          kinds.merge(record.resourceManagerName() + '/' + record.name(), 1, Integer::sum);
          if (TransactionEnd.is(record)) {
            TransactionEnd.of(record);
          }
          if (PreparedTransaction.is(record)) {
            PreparedTransaction.of(record);
          }
        }
        if (records.size() == RECORDS_AT_ONCE || (!more && !records.isEmpty())) {
          compare(connection, records, blocks);
          records.clear();
          blocks.clear();
        }
      }
      assertThat(cursor.atZeroes()).isTrue();
      assertThat(cursor.reader().overwritten().isValid()).isTrue();
      assertThat(kinds.keySet()).noneMatch(kind -> kind.contains("UNKNOWN"));
      assertThat(kinds).containsKeys("XLOG/OVERWRITE_CONTRECORD", "Transaction/COMMIT_PREPARED");
      if (cursor.record().writtenBy().isAtLeast(WalVersion.V17)) {
        assertThat(kinds)
            .containsKeys(
                "XLOG/CHECKPOINT_REDO", "Heap2/PRUNE_ON_ACCESS", "Heap2/PRUNE_VACUUM_SCAN");
      }
      System.out.printf(
          "PostgreSQL %d: %d records of %d kinds, %d blocks, %d images are the same%n%s%n",
          cursor.record().writtenBy().major(), count, kinds.size(), blocksSeen, imagesSeen, kinds);
    }
  }

  @Test
  void everythingUpToTheServersEndIsReadAndItsPagesAreInTheFiles() throws Exception {
    WalServer server = Objects.requireNonNull(started);
    long flushed;
    try (Connection connection = server.connect("postgres");
        var statement = connection.createStatement()) {
      statement.execute("checkpoint");
      try (var rows = statement.executeQuery("select pg_current_wal_flush_lsn()")) {
        rows.next();
        flushed = Lsn.parse(rows.getString(1)).value();
      }
    }
    var pages = new LastingPages();
    WalCursor cursor = server.cursor();
    boolean met = false;
    long records = 0;
    long ends = 0;
    while (cursor.next()) {
      WalRecord record = cursor.record();
      records++;
      pages.note(record);
      assertThat(record.name()).doesNotContain("UNKNOWN");
      if (TransactionEnd.is(record)) {
        TransactionEnd end = TransactionEnd.of(record);
        ends++;
        assertThat(end.prepared()).isEqualTo(record.name().endsWith("_PREPARED"));
        // wal_level is logical, so names are there.
        assertThat(end.gid().isEmpty()).isNotEqualTo(end.prepared());
      }
      long end = record.end().value();
      met |= end == flushed || ((end & 8191) == 0 && flushed - end <= 40 && flushed > end);
    }
    assertThat(met).as("a record ends at " + new Lsn(flushed)).isTrue();
    assertThat(cursor.atZeroes()).isTrue();
    Map<ImageCompression, Integer> same = pages.compare(server.data(), lasting);
    assertThat(same).containsOnlyKeys(ImageCompression.NONE, ImageCompression.PGLZ);
    System.out.printf(
        "PostgreSQL %d: %d records, %d ends, %s images unpacked, in the files %s%n",
        cursor.record().writtenBy().major(), records, ends, pages.unpacked(), same);
  }

  private static boolean isThere(Connection connection) throws SQLException {
    try (var statement = connection.createStatement();
        var rows =
            statement.executeQuery(
                "select 1 from pg_available_extensions where name = 'pg_walinspect'"
                    + " and default_version >= '1.1'")) {
      return rows.next();
    }
  }

  private static Whole whole(WalRecord record) {
    return new Whole(
        record.start(),
        record.end(),
        record.previous(),
        Integer.toUnsignedLong(record.xid()),
        record.resourceManagerName(),
        record.name(),
        record.totalBytes(),
        record.mainBytes(),
        record.imageBytes(),
        RecordText.describe(record));
  }

  private static void addBlocks(WalRecord record, List<Block> blocks) throws WalException {
    for (int i = 0; i < record.blocks(); i++) {
      WalBlock block = record.block(i);
      ByteBuffer image = null;
      if (block.hasImage()) {
        byte[] page = new byte[8192];
        block.restoreImage(page, 0);
        image = ByteBuffer.wrap(page);
      }
      byte[] data = new byte[block.dataBytes()];
      block.data().get(data);
      blocks.add(
          new Block(
              record.start(),
              block.id(),
              block.relation().toString(),
              block.fork().number(),
              Integer.toUnsignedLong(block.blockNumber()),
              block.dataBytes(),
              block.imageBytes(),
              imageInfo(block),
              data.length == 0 ? null : ByteBuffer.wrap(data),
              image));
    }
  }

  private static String imageInfo(WalBlock block) {
    List<String> info = new ArrayList<>();
    if (block.holeBytes() > 0) {
      info.add("HAS_HOLE");
    }
    if (block.imageApplies()) {
      info.add("APPLY");
    }
    if (block.compression() != ImageCompression.NONE) {
      info.add("COMPRESS_" + block.compression());
    }
    return block.hasImage() ? info.toString() : "";
  }

  private void compare(Connection connection, List<Whole> records, List<Block> blocks)
      throws SQLException {
    Lsn from = records.getFirst().start();
    Lsn to = records.getLast().end();
    List<Whole> theirs = new ArrayList<>();
    List<Block> theirBlocks = new ArrayList<>();
    try (var statement = connection.createStatement()) {
      try (var rows =
          statement.executeQuery(
              "select * from pg_get_wal_records_info('%s', '%s') order by start_lsn"
                  .formatted(from, to))) {
        while (rows.next()) {
          theirs.add(whole(rows));
        }
      }
      try (var rows =
          statement.executeQuery(
              "select * from pg_get_wal_block_info('%s', '%s', true) order by start_lsn, block_id"
                  .formatted(from, to))) {
        while (rows.next()) {
          theirBlocks.add(block(rows));
        }
      }
    }
    for (int i = 0; i < Math.min(records.size(), theirs.size()); i++) {
      assertThat(records.get(i)).isEqualTo(theirs.get(i));
    }
    assertThat(theirs).hasSameSizeAs(records);
    assertThat(theirBlocks).hasSameSizeAs(blocks);
    for (int i = 0; i < blocks.size(); i++) {
      if (!blocks.get(i).equals(theirBlocks.get(i))) {
        assertThat(blocks.get(i)).isEqualTo(theirBlocks.get(i));
      }
      imagesSeen += blocks.get(i).image() == null ? 0 : 1;
    }
    blocksSeen += blocks.size();
  }

  private static Lsn lsn(ResultSet row, String name) throws SQLException {
    return Lsn.parse(row.getString(name));
  }

  private static Whole whole(ResultSet row) throws SQLException {
    return new Whole(
        lsn(row, "start_lsn"),
        lsn(row, "end_lsn"),
        lsn(row, "prev_lsn"),
        row.getLong("xid"),
        row.getString("resource_manager"),
        row.getString("record_type"),
        row.getInt("record_length"),
        row.getInt("main_data_length"),
        row.getInt("fpi_length"),
        asWaldump(row.getString("description")));
  }

  /** The server prints times otherwise than pg_waldump does. */
  private static String asWaldump(@Nullable String description) {
    return TIME.matcher(description == null ? "" : description)
        .replaceAll(
            time -> time.group(1) + "." + (time.group(2) + "000000").substring(0, 6) + " UTC");
  }

  private static Block block(ResultSet row) throws SQLException {
    java.sql.Array info = row.getArray("block_fpi_info");
    byte[] data = row.getBytes("block_data");
    byte[] image = row.getBytes("block_fpi_data");
    return new Block(
        lsn(row, "start_lsn"),
        row.getInt("block_id"),
        row.getLong("reltablespace")
            + "/"
            + row.getLong("reldatabase")
            + "/"
            + row.getLong("relfilenode"),
        row.getInt("relforknumber"),
        row.getLong("relblocknumber"),
        row.getInt("block_data_length"),
        row.getInt("block_fpi_length"),
        info == null ? "" : Arrays.asList((Object[]) info.getArray()).toString(),
        data == null ? null : ByteBuffer.wrap(data),
        image == null ? null : ByteBuffer.wrap(image));
  }
}
