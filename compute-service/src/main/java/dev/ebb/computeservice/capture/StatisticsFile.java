package dev.ebb.computeservice.capture;

import dev.ebb.shared.wal.WalVersion;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * PostgreSQL's cumulative statistics as a clean stop writes them. The file grows with the number of
 * relations, and a start reads all of it before it accepts connections: of a long one only those
 * relations stay of which autovacuum has something to know. What is left out counts from zero
 * again.
 *
 * <p>Source: {@code pgstat_write_statsfile} in {@code src/backend/utils/activity/pgstat.c}: a part
 * of fixed layout, then entries of a key and a structure each, whose lengths are the version's own
 * ({@code pgstat.h}); an end mark. 14 has files of its own, of another form ({@code pgstat.c} of
 * its {@code postmaster} directory): what is long of them is left out whole.
 */
final class StatisticsFile {
  private static final String DIRECTORY = "pg_stat/";
  private static final String SUFFIX = ".stat";

  private static final byte ENTRY = 'S';
  private static final byte END = 'E';
  private static final int KIND_DATABASE = 1;
  private static final int KIND_RELATION = 2;
  private static final int KIND_FUNCTION = 3;
  private static final int FUNCTION_BYTES = 24;

  /**
   * A major version's layout.
   *
   * @param keyBytes of {@code PgStat_HashKey}, with the entry's mark before it
   * @param databaseBytes of {@code PgStat_StatDBEntry}
   * @param relationBytes of {@code PgStat_StatTabEntry}
   * @param liveAt where in that the live rows are counted; behind them the dead ones, those changed
   *     since an analysis and those inserted since a vacuum
   */
  private record Layout(int keyBytes, int databaseBytes, int relationBytes, int liveAt) {}

  private static final Map<WalVersion, Layout> LAYOUTS =
      Map.of(
          WalVersion.V15, new Layout(13, 30 * 8, 21 * 8, 7 * 8),
          WalVersion.V16, new Layout(13, 31 * 8, 23 * 8, 9 * 8),
          WalVersion.V17, new Layout(13, 31 * 8, 23 * 8, 9 * 8),
          WalVersion.V18, new Layout(17, 33 * 8, 27 * 8, 9 * 8));

  private StatisticsFile() {}

  /** Whether a file holds statistics. */
  static boolean is(String path) {
    return path.startsWith(DIRECTORY) && path.endsWith(SUFFIX);
  }

  /** An entry where it lies; those of relations with what makes them worth keeping. */
  private record Entry(int from, int length, boolean ofRelation, long changes, long rows) {}

  /**
   * A file of at most so many bytes, the given one where it is no longer.
   *
   * @return nothing where it is longer and not understood: statistics then count from zero
   */
  static Optional<byte[]> shortened(byte[] content, WalVersion version, int maxBytes) {
    if (content.length <= maxBytes) {
      return Optional.of(content);
    }
    Layout layout = LAYOUTS.get(version);
    if (layout == null) {
      return Optional.empty();
    }
    ByteBuffer fields = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
    for (int at = 4; at < content.length; at++) {
      if (content[at] == ENTRY) {
        List<Entry> entries = entries(fields, layout, at);
        if (!entries.isEmpty()) {
          return keep(content, at, entries, maxBytes);
        }
      }
    }
    return Optional.empty();
  }

  /** The entries from here to the file's end; none where these are not entries. */
  private static List<Entry> entries(ByteBuffer fields, Layout layout, int from) {
    var entries = new ArrayList<Entry>();
    int at = from;
    int end = fields.limit() - 1;
    while (at + layout.keyBytes() <= end && fields.get(at) == ENTRY) {
      int kind = fields.getInt(at + 1);
      int bytes = bytesOf(layout, kind);
      int length = layout.keyBytes() + bytes;
      if (bytes == 0 || at + length > end) {
        return List.of();
      }
      entries.add(entry(fields, layout, at, length, kind == KIND_RELATION));
      at += length;
    }
    return at == end && fields.get(at) == END ? entries : List.of();
  }

  private static Entry entry(
      ByteBuffer fields, Layout layout, int at, int length, boolean ofRelation) {
    int live = at + layout.keyBytes() + layout.liveAt();
    return ofRelation
        ? new Entry(
            at,
            length,
            true,
            fields.getLong(live + 8) + fields.getLong(live + 16) + fields.getLong(live + 24),
            fields.getLong(live))
        : new Entry(at, length, false, 0, 0);
  }

  private static int bytesOf(Layout layout, int kind) {
    return switch (kind) {
      case KIND_DATABASE -> layout.databaseBytes();
      case KIND_RELATION -> layout.relationBytes();
      case KIND_FUNCTION -> FUNCTION_BYTES;
      default -> 0;
    };
  }

  private static Optional<byte[]> keep(
      byte[] content, int first, List<Entry> entries, int maxBytes) {
    var kept = new ByteArrayOutputStream(maxBytes);
    kept.write(content, 0, first);
    entries.stream()
        .sorted(
            Comparator.comparing(Entry::ofRelation)
                .thenComparing(Comparator.comparingLong(Entry::changes).reversed())
                .thenComparing(Comparator.comparingLong(Entry::rows).reversed()))
        .filter(entry -> !entry.ofRelation() || entry.changes() > 0 || entry.rows() > 0)
        .takeWhile(entry -> kept.size() + entry.length() < maxBytes)
        .forEachOrdered(entry -> kept.write(content, entry.from(), entry.length()));
    kept.write(END);
    return kept.size() <= maxBytes ? Optional.of(kept.toByteArray()) : Optional.empty();
  }
}
