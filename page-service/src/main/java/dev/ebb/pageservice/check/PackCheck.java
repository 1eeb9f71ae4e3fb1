package dev.ebb.pageservice.check;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.ebb.pageservice.index.PageLocation;
import dev.ebb.pageservice.index.PageTable;
import dev.ebb.pageservice.pack.FileId;
import dev.ebb.pageservice.pack.PackIndex;
import dev.ebb.pageservice.pack.PackRef;
import dev.ebb.pageservice.pack.PageCodec;
import dev.ebb.pageservice.snapshot.SnapshotReader;
import dev.ebb.shared.bus.PageMessage.CheckProgress.Kind;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.store.ObjectStore;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Checks packs: that the page index and the pack's own agree, and every record's checksum. Where
 * the pack's own index is damaged, the records are checked that the page index finds.
 */
final class PackCheck {
  static final long UNKNOWN_SIZE = -1;
  private static final int WINDOW_BYTES = 4 << 20;
  private static final int ROWS_AT_ONCE = 1_024;
  private static final int INDEX_CACHE_BYTES = 32 << 20;

  private final ObjectStore store;
  private final SnapshotReader reader;
  private final PageCodec codec;
  private final Findings findings;
  private final Absences absences;
  private final Map<String, Boolean> there = new HashMap<>();
  private final Set<String> told = new HashSet<>();
  private final byte[] page = new byte[PageCodec.BLOCK_BYTES];
  private final Cache<String, Optional<PackIndex>> indexes =
      Caffeine.newBuilder()
          .maximumWeight(INDEX_CACHE_BYTES)
          .weigher((String key, Optional<PackIndex> i) -> i.map(PackIndex::weight).orElse(100))
          .executor(Runnable::run)
          .build();

  PackCheck(
      ObjectStore store,
      SnapshotReader reader,
      PageCodec codec,
      Findings findings,
      Absences absences) {
    this.store = store;
    this.reader = reader;
    this.codec = codec;
    this.findings = findings;
    this.absences = absences;
  }

  /** Hears of what is not there: which is no damage where nothing refers to it any more. */
  @FunctionalInterface
  interface Absences {
    void add(String key, long bytes, String problem);
  }

  private record Row(FileId file, int block, PageLocation location) {}

  /** Whether the packs have what a part of a page index says. */
  void compare(PageTable table, String where) {
    List<Row> unindexed = new ArrayList<>();
    table.forEach((FileId file, int block, @Nullable PageLocation location) -> {
      if (location == null) {
        return;
      }
      String pack = location.pack().key();
      Optional<PackIndex> index = index(pack, location.pack().bytes());
      if (index.isEmpty()) {
        unindexed.add(new Row(file, block, location));
        return;
      }
      int row = index.get().find(file, block);
      if (row < 0
          || index.get().offset(row) != location.offset()
          || index.get().recordBytes(row) != location.length()) {
        findings.add(
            Kind.DAMAGED,
            where,
            0,
            "it finds block "
                + block
                + " of "
                + file
                + " at offset "
                + location.offset()
                + " of pack "
                + pack
                + ", which has it elsewhere or not at all");
      }
    });
    for (int from = 0; from < unindexed.size(); from += ROWS_AT_ONCE) {
      checkRows(unindexed.subList(from, Math.min(from + ROWS_AT_ONCE, unindexed.size())));
    }
  }

  private void checkRows(List<Row> rows) {
    for (Row row : rows) {
      String pack = row.location().pack().key();
      try {
        byte[] record = reader.records(List.of(row.location())).getFirst();
        codec.decode(row.file(), row.block(), record, 0, record.length, page, 0);
        findings.checked(0, 1, 0);
      } catch (EbbException.Corrupt e) {
        damaged(pack, row.location().length(), String.valueOf(e.getMessage()));
      }
    }
  }

  /** The pack's own index; empty, and told once, where that cannot be read. */
  private Optional<PackIndex> index(String key, long bytes) {
    Optional<PackIndex> known = indexes.getIfPresent(key);
    if (known != null) {
      return known;
    }
    Optional<PackIndex> read = readIndex(key, bytes);
    indexes.put(key, read);
    return read;
  }

  private Optional<PackIndex> readIndex(String key, long bytes) {
    try {
      byte[] end =
          store
              .getRange(key, bytes - PackIndex.TRAILER_BYTES, PackIndex.TRAILER_BYTES)
              .orElse(null);
      if (end == null) {
        missing(key, bytes, "the page index refers to it");
        return Optional.empty();
      }
      PackRef ref = PackIndex.refOfEnd(key, bytes, end);
      byte[] stored =
          store
              .getRange(key, bytes - ref.indexBytes(), ref.indexBytes())
              .orElseThrow(() -> new EbbException.Corrupt("pack " + key + " has gone"));
      return Optional.of(PackIndex.decode(ref, stored));
    } catch (EbbException.Corrupt e) {
      tell(key, bytes, String.valueOf(e.getMessage()));
      return Optional.empty();
    }
  }

  private void tell(String key, long bytes, String problem) {
    if (told.add(key)) {
      damaged(key, bytes, problem);
    }
  }

  /** What was there when it was named may have been collected since. */
  private void damaged(String key, long bytes, String problem) {
    if (there.computeIfAbsent(key, this::isThere)) {
      findings.add(Kind.DAMAGED, key, bytes, problem);
    } else {
      missing(key, bytes, "the page index refers to it");
    }
  }

  private boolean isThere(String key) {
    return store.list(key).stream().anyMatch(object -> object.key().equals(key));
  }

  private void missing(String key, long bytes, String problem) {
    there.put(key, false);
    absences.add(key, bytes, problem);
  }

  /**
   * Every record of a pack.
   *
   * @param bytes the pack's size, or {@link #UNKNOWN_SIZE}
   */
  void verify(String key, long bytes) {
    long size = bytes;
    if (size == UNKNOWN_SIZE) {
      size =
          store.list(key).stream()
              .filter(object -> object.key().equals(key))
              .mapToLong(ObjectStore.Listed::bytes)
              .findFirst()
              .orElse(UNKNOWN_SIZE);
      if (size == UNKNOWN_SIZE) {
        missing(key, 0, "a manifest refers to it");
        return;
      }
    }
    Optional<PackIndex> index = index(key, size);
    findings.checked(1, 0, size);
    if (index.isPresent()) {
      header(key);
      var records = new Records(key, index.get());
      index.get().forEach(records::check);
    }
  }

  private void header(String key) {
    byte[] header = store.getRange(key, 0, PackIndex.RECORDS_START).orElse(new byte[0]);
    try {
      PackIndex.requireHeader(key, header);
    } catch (EbbException.Corrupt e) {
      tell(key, 0, String.valueOf(e.getMessage()));
    }
  }

  /** Reads a pack's records in order, some MB at a time. */
  private final class Records {
    private final String key;
    private final PackIndex index;
    private final int end;
    private byte[] window = new byte[0];
    private int windowStart;

    Records(String key, PackIndex index) {
      this.key = key;
      this.index = index;
      this.end = (int) (index.pack().bytes() - index.pack().indexBytes());
    }

    void check(FileId file, int block, int row) {
      int offset = index.offset(row);
      int length = index.recordBytes(row);
      if (length > 0) {
        try {
          if (offset + length > windowStart + window.length) {
            int more = Math.min(WINDOW_BYTES, end - offset);
            window =
                store
                    .getRange(key, offset, more)
                    .orElseThrow(() -> new EbbException.Corrupt("pack " + key + " has gone"));
            windowStart = offset;
          }
          codec.decode(file, block, window, offset - windowStart, length, page, 0);
        } catch (EbbException.Corrupt e) {
          damaged(key, length, "at offset " + offset + ": " + e.getMessage());
        }
      }
      findings.checked(0, 1, 0);
    }
  }
}
