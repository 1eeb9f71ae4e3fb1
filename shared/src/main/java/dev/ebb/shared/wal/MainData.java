package dev.ebb.shared.wal;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;

/** Reads a record's main data from its start on; nothing is read or allocated that is not there. */
final class MainData {
  private static final long MICROS = 1_000_000;

  /** Seconds from 1970-01-01 to 2000-01-01, where PostgreSQL's timestamps begin. */
  private static final long POSTGRES_EPOCH = 946_684_800;

  private static final int INVALIDATION_BYTES = 16;

  private final WalRecord record;
  private int at;

  MainData(WalRecord record) {
    this.record = record;
  }

  WalRecord record() {
    return record;
  }

  int integer() throws WalException {
    int value = record.mainInt(at);
    at += Integer.BYTES;
    return value;
  }

  long bigInteger() throws WalException {
    long value = record.mainLong(at);
    at += Long.BYTES;
    return value;
  }

  /** A {@code TimestampTz}. */
  Instant time() throws WalException {
    return instant(bigInteger());
  }

  static Instant instant(long micros) {
    return Instant.ofEpochSecond(
        POSTGRES_EPOCH + Math.floorDiv(micros, MICROS), Math.floorMod(micros, MICROS) * 1000);
  }

  void skip(int bytes) throws WalException {
    if (bytes > record.mainBytes() - at) {
      throw record.wrong("main data of " + record.mainBytes() + " bytes is cut off at " + at);
    }
    at += bytes;
  }

  /** Goes on to the next multiple of 8, where there is one. */
  void align() {
    at = Math.min((at + 7) & -8, record.mainBytes());
  }

  int at() {
    return at;
  }

  private int checkedCount(int count, int itemBytes) throws WalException {
    if (count < 0 || (long) count * itemBytes > record.mainBytes() - at) {
      throw record.wrong("a list of " + Integer.toUnsignedString(count) + " that is cut off");
    }
    return count;
  }

  List<Integer> integers(int count) throws WalException {
    checkedCount(count, Integer.BYTES);
    List<Integer> values = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      values.add(integer());
    }
    return List.copyOf(values);
  }

  List<RelFileLocator> relations(int count) throws WalException {
    checkedCount(count, 3 * Integer.BYTES);
    List<RelFileLocator> values = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      values.add(new RelFileLocator(integer(), integer(), integer()));
    }
    return List.copyOf(values);
  }

  /** As many messages as {@code sizeof(SharedInvalidationMessage)} says. */
  List<Invalidation> invalidations(int count) throws WalException {
    checkedCount(count, INVALIDATION_BYTES);
    List<Invalidation> values = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      int kind = (byte) integer();
      int second = integer();
      values.add(Invalidation.of(kind, second, integer()));
      skip(Integer.BYTES);
    }
    return List.copyOf(values);
  }

  List<DroppedStatistics> statistics(int count) throws WalException {
    boolean wide = record.writtenBy().isAtLeast(WalVersion.V18);
    checkedCount(count, wide ? 4 * Integer.BYTES : 3 * Integer.BYTES);
    List<DroppedStatistics> values = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      int kind = integer();
      int dbOid = integer();
      long object = Integer.toUnsignedLong(integer());
      values.add(
          new DroppedStatistics(kind, dbOid, wide ? object | (long) integer() << 32 : object));
    }
    return List.copyOf(values);
  }

  /** A string that ends with a zero byte, in so many bytes at most. */
  String string(int maxBytes) throws WalException {
    var main = record.main();
    int limit = Math.min(main.limit(), at + maxBytes);
    int end = at;
    while (end < limit && main.get(end) != 0) {
      end++;
    }
    if (end >= limit) {
      throw record.wrong("a string without an end");
    }
    byte[] bytes = new byte[end - at];
    main.get(at, bytes);
    at = end + 1;
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
