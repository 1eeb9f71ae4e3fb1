package dev.ebb.computeservice.capture;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * PostgreSQL's cumulative statistics as a clean stop writes them. The file grows with the number of
 * relations, and a start reads all of it before it accepts connections: of a long one only those
 * relations stay of which autovacuum has something to know. What is left out counts from zero
 * again.
 *
 * <p>Source: {@code pgstat_write_statsfile} in {@code src/backend/utils/activity/pgstat.c}: a part
 * of fixed layout, then entries of a key and a structure each, whose lengths are those of
 * PostgreSQL 18 ({@code pgstat.h}); an end mark.
 */
final class StatisticsFile {
  static final String PATH = "pg_stat/pgstat.stat";

  private static final byte ENTRY = 'S';
  private static final byte END = 'E';
  private static final int KEY_BYTES = 17;
  private static final int KIND_DATABASE = 1;
  private static final int KIND_RELATION = 2;
  private static final int KIND_FUNCTION = 3;
  private static final int DATABASE_BYTES = 264;
  private static final int RELATION_BYTES = 216;
  private static final int FUNCTION_BYTES = 24;

  /** In {@code PgStat_StatTabEntry}. */
  private static final int LIVE_AT = 9 * 8;

  private static final int DEAD_AT = 10 * 8;
  private static final int CHANGED_SINCE_ANALYZE_AT = 11 * 8;
  private static final int INSERTED_SINCE_VACUUM_AT = 12 * 8;

  private StatisticsFile() {}

  /** An entry where it lies; those of relations with what makes them worth keeping. */
  private record Entry(int from, int length, boolean ofRelation, long changes, long rows) {}

  /**
   * A file of at most so many bytes, the given one where it is no longer.
   *
   * @return nothing where it is longer and not understood: statistics then count from zero
   */
  static Optional<byte[]> shortened(byte[] content, int maxBytes) {
    if (content.length <= maxBytes) {
      return Optional.of(content);
    }
    ByteBuffer fields = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN);
    for (int at = 4; at < content.length; at++) {
      if (content[at] == ENTRY) {
        List<Entry> entries = entries(fields, at);
        if (!entries.isEmpty()) {
          return keep(content, at, entries, maxBytes);
        }
      }
    }
    return Optional.empty();
  }

  /** The entries from here to the file's end; none where these are not entries. */
  private static List<Entry> entries(ByteBuffer fields, int from) {
    var entries = new ArrayList<Entry>();
    int at = from;
    int end = fields.limit() - 1;
    while (at + KEY_BYTES <= end && fields.get(at) == ENTRY) {
      int kind = fields.getInt(at + 1);
      int length = KEY_BYTES + bytesOf(kind);
      if (length == KEY_BYTES || at + length > end) {
        return List.of();
      }
      entries.add(entry(fields, at, length, kind == KIND_RELATION));
      at += length;
    }
    return at == end && fields.get(at) == END ? entries : List.of();
  }

  private static Entry entry(ByteBuffer fields, int at, int length, boolean ofRelation) {
    int data = at + KEY_BYTES;
    return ofRelation
        ? new Entry(
            at,
            length,
            true,
            fields.getLong(data + DEAD_AT)
                + fields.getLong(data + CHANGED_SINCE_ANALYZE_AT)
                + fields.getLong(data + INSERTED_SINCE_VACUUM_AT),
            fields.getLong(data + LIVE_AT))
        : new Entry(at, length, false, 0, 0);
  }

  private static int bytesOf(int kind) {
    return switch (kind) {
      case KIND_DATABASE -> DATABASE_BYTES;
      case KIND_RELATION -> RELATION_BYTES;
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
