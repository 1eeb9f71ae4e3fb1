package dev.ebb.computeservice.template;

import dev.ebb.computeservice.postgres.PgControl;
import dev.ebb.computeservice.postgres.RelationMapFile;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * What must be true of a skeleton before PostgreSQL starts on it: PostgreSQL itself gets "ready" on
 * zeroed SLRU files, a missing {@code pg_filenode.map} and a missing {@code PG_VERSION}.
 */
public final class SkeletonCheck {
  /** {@code InitPostgres}, {@code StartupXLOG} and others open files in these, or list them. */
  private static final List<String> DIRECTORIES =
      List.of(
          "base",
          "global",
          "pg_commit_ts",
          "pg_dynshmem",
          "pg_logical",
          "pg_logical/mappings",
          "pg_logical/snapshots",
          "pg_multixact",
          "pg_multixact/members",
          "pg_multixact/offsets",
          "pg_notify",
          "pg_replslot",
          "pg_serial",
          "pg_snapshots",
          "pg_stat",
          "pg_stat_tmp",
          "pg_subtrans",
          "pg_tblspc",
          "pg_twophase",
          "pg_wal",
          "pg_xact");

  private static final int PAGES_PER_SLRU_SEGMENT = 32;

  /** {@code clog.c}: two bits a transaction. */
  private static final int XACTS_PER_PAGE = FileKey.BLOCK_BYTES * 4;

  /** {@code multixact.c}: four bytes an offset. */
  private static final int OFFSETS_PER_PAGE = FileKey.BLOCK_BYTES / 4;

  /** {@code multixact.c}: groups of four flag bytes and four ids. */
  private static final int MEMBERS_PER_PAGE = FileKey.BLOCK_BYTES / 20 * 4;

  /** Beyond so many pages between the oldest and the next multixact only the ends are needed. */
  private static final int MAX_EAGER_PAGES = 16;

  private SkeletonCheck() {}

  /**
   * A block that was hydrated before the start.
   *
   * @param crc32c of the bytes that were fetched, to be found again on disk
   */
  public record EagerBlock(FileKey file, int block, int crc32c) {
    /** The block with these bytes. */
    public static EagerBlock of(FileKey file, int block, byte[] bytes) {
      return new EagerBlock(file, block, crc(bytes, bytes.length));
    }
  }

  /**
   * The SLRU blocks that a start reads, where an error would be a PANIC or a zeroed page a silent
   * loss: hydrate them before the start. Sources: {@code TrimCLOG}, {@code TrimMultiXact}, {@code
   * SetOffsetVacuumLimit}.
   *
   * @return sorted; only blocks that exist
   */
  public static List<Manifest.BlockRun> requiredBlocks(
      PgControl control, List<Manifest.BlockFile> files) {
    Map<FileKey, Integer> lengths = lengths(files);
    var pages = new TreeMap<FileKey.Kind, SortedSet<Long>>();
    addRange(
        pages,
        FileKey.Kind.XACT,
        Math.max(0, page(control.nextXid(), XACTS_PER_PAGE) - 1),
        page(control.nextXid(), XACTS_PER_PAGE));
    addRange(
        pages,
        FileKey.Kind.MULTIXACT_OFFSETS,
        page(control.oldestMulti(), OFFSETS_PER_PAGE),
        page(control.nextMulti(), OFFSETS_PER_PAGE));
    long members = page(control.nextMultiOffset(), MEMBERS_PER_PAGE);
    addRange(pages, FileKey.Kind.MULTIXACT_MEMBERS, members, members);
    if (control.tracksCommitTimestamps()) {
      // Ten bytes a transaction: commit_ts.c.
      long stamps = page(control.nextXid(), FileKey.BLOCK_BYTES / 10);
      addRange(pages, FileKey.Kind.COMMIT_TS, stamps, stamps);
    }
    return pages.entrySet().stream()
        .flatMap(e -> e.getValue().stream().map(p -> slruBlock(e.getKey(), p)))
        .filter(run -> lengths.getOrDefault(run.file(), 0) > run.firstBlock())
        .toList();
  }

  private static long page(int unsigned, int perPage) {
    return Integer.toUnsignedLong(unsigned) / perPage;
  }

  private static void addRange(
      SortedMap<FileKey.Kind, SortedSet<Long>> pages, FileKey.Kind kind, long first, long last) {
    SortedSet<Long> set = pages.computeIfAbsent(kind, k -> new TreeSet<>());
    set.add(first);
    set.add(last);
    // Numbers wrap around: then, as where they are many, the two ends must do.
    if (first <= last && last - first <= MAX_EAGER_PAGES) {
      for (long p = first; p < last; p++) {
        set.add(p);
      }
    }
  }

  private static Manifest.BlockRun slruBlock(FileKey.Kind kind, long page) {
    return new Manifest.BlockRun(
        new FileKey(kind, 0, 0, 0, (int) (page / PAGES_PER_SLRU_SEGMENT)),
        (int) (page % PAGES_PER_SLRU_SEGMENT),
        1);
  }

  /**
   * Looks at a skeleton on disk. Costs a few file reads for each PostgreSQL database in it.
   *
   * @param files the manifest's
   * @param hydrated what was fetched ahead of a lazy start, at least {@link #requiredBlocks}; empty
   *     where every block is on disk anyway, so that every SLRU file must be there in full
   * @throws EbbException.Corrupt naming the first thing that is wrong
   */
  public static void check(
      Path dataDirectory, List<Manifest.BlockFile> files, List<EagerBlock> hydrated)
      throws IOException {
    for (String directory : DIRECTORIES) {
      if (!Files.isDirectory(dataDirectory.resolve(directory))) {
        throw broken(directory + " is missing");
      }
    }
    PgControl control = PgControl.read(dataDirectory);
    requireVersionFile(dataDirectory, "PG_VERSION", control);
    requireMap(dataDirectory, "global/pg_filenode.map");
    var databases = new TreeSet<Integer>(Integer::compareUnsigned);
    int last = 0;
    for (Manifest.BlockFile file : files) {
      // One after the other: a manifest's files are sorted.
      if (file.key().kind() == FileKey.Kind.RELATION && file.key().database() != last) {
        last = file.key().database();
        databases.add(last);
      }
    }
    databases.remove(0);
    if (databases.isEmpty()) {
      throw broken("there is no database in it");
    }
    for (int database : databases) {
      String base = "base/" + Integer.toUnsignedString(database);
      requireVersionFile(dataDirectory, base + "/PG_VERSION", control);
      requireMap(dataDirectory, base + "/pg_filenode.map");
    }
    requireCommitLog(control, lengths(files));
    if (hydrated.isEmpty()) {
      requireSlruSizes(dataDirectory, files);
    } else {
      requireHydrated(dataDirectory, control, files, hydrated);
    }
  }

  private static void requireVersionFile(Path root, String path, PgControl control)
      throws IOException {
    String version = new String(contentOf(root, path), StandardCharsets.US_ASCII).strip();
    if (!version.equals(Integer.toString(control.major().major()))) {
      throw broken(path + " does not hold the version of pg_control");
    }
  }

  private static void requireMap(Path root, String path) throws IOException {
    if (!RelationMapFile.isIntact(contentOf(root, path))) {
      throw broken(path + " is damaged: its length, magic number or CRC is wrong");
    }
  }

  private static byte[] contentOf(Path root, String path) throws IOException {
    Path file = root.resolve(path);
    if (!Files.isRegularFile(file)) {
      throw broken(path + " is missing");
    }
    return Files.readAllBytes(file);
  }

  /** The page of the newest transaction must exist: recovery would make it up out of zeroes. */
  private static void requireCommitLog(PgControl control, Map<FileKey, Integer> lengths) {
    long newest = Integer.toUnsignedLong(control.nextXid() - 1);
    Manifest.BlockRun run = slruBlock(FileKey.Kind.XACT, newest / XACTS_PER_PAGE);
    if (lengths.getOrDefault(run.file(), 0) <= run.firstBlock()) {
      throw broken(
          "block "
              + run.firstBlock()
              + " of "
              + run.file()
              + ", the newest of the commit log, is"
              + " not in the manifest");
    }
  }

  private static void requireSlruSizes(Path root, List<Manifest.BlockFile> files)
      throws IOException {
    for (Manifest.BlockFile file : files) {
      if (file.key().kind() == FileKey.Kind.RELATION) {
        continue;
      }
      Path path = root.resolve(file.key().path());
      if (!Files.isRegularFile(path)) {
        throw broken(file.key() + " is missing");
      }
      if (Files.size(path) < (long) file.blocks() * FileKey.BLOCK_BYTES) {
        throw broken(file.key() + " is shorter than its " + file.blocks() + " blocks");
      }
    }
  }

  private static void requireHydrated(
      Path root, PgControl control, List<Manifest.BlockFile> files, List<EagerBlock> hydrated)
      throws IOException {
    var byBlock = new HashMap<Manifest.BlockRun, EagerBlock>();
    for (EagerBlock block : hydrated) {
      byBlock.put(new Manifest.BlockRun(block.file(), block.block(), 1), block);
    }
    for (Manifest.BlockRun required : requiredBlocks(control, files)) {
      @Nullable EagerBlock block = byBlock.get(required);
      if (block == null) {
        throw broken(
            "block " + required.firstBlock() + " of " + required.file() + " was not hydrated");
      }
      if (crcOnDisk(root, block) != block.crc32c()) {
        throw broken("block " + block.block() + " of " + block.file() + " is not what was fetched");
      }
    }
  }

  private static int crcOnDisk(Path root, EagerBlock block) throws IOException {
    Path path = root.resolve(block.file().path());
    if (!Files.isRegularFile(path)
        || Files.size(path) < (block.block() + 1L) * FileKey.BLOCK_BYTES) {
      throw broken("block " + block.block() + " of " + block.file() + " is not on disk");
    }
    try (var file = new RandomAccessFile(path.toFile(), "r")) {
      byte[] bytes = new byte[FileKey.BLOCK_BYTES];
      file.seek((long) block.block() * FileKey.BLOCK_BYTES);
      file.readFully(bytes);
      return crc(bytes, bytes.length);
    }
  }

  /** Of the SLRU files: there are few of them, whatever the number of relations. */
  private static Map<FileKey, Integer> lengths(List<Manifest.BlockFile> files) {
    var lengths = new HashMap<FileKey, Integer>();
    for (Manifest.BlockFile file : files) {
      if (file.key().kind() != FileKey.Kind.RELATION) {
        lengths.put(file.key(), file.blocks());
      }
    }
    return lengths;
  }

  private static int crc(byte[] bytes, int length) {
    var crc = new CRC32C();
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }

  private static EbbException.Corrupt broken(String what) {
    return new EbbException.Corrupt("PostgreSQL must not start on this data directory: " + what);
  }
}
