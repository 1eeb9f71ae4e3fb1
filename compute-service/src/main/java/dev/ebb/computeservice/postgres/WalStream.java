package dev.ebb.computeservice.postgres;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalOptions;
import dev.ebb.shared.wal.WalReader;
import dev.ebb.shared.wal.WalRecord;
import dev.ebb.shared.wal.WalVersion;
import java.io.IOException;

/**
 * Reads the records of a range of WAL one behind the other, each into the same memory: for the many
 * that a capture's audit looks at. What lies below the limit is expected to be whole and intact, as
 * flushed WAL is.
 *
 * <p>Not thread-safe.
 */
public final class WalStream {
  private static final int WINDOW_BYTES = 64 * WalSegments.PAGE_BYTES;

  /**
   * Of a longer record only the start is kept. Block references come first; the longest of them, a
   * record of page images, is below 300 kB.
   */
  private static final int MAX_KEPT_BYTES = 4 << 20;

  private final Source source;
  private final WalReader reader;
  private final byte[] window = new byte[WINDOW_BYTES];
  private long limit;

  /** Where the bytes come from. */
  @FunctionalInterface
  public interface Source {
    /** Fills {@code length} bytes of the target with the WAL at {@code at}. */
    void read(Lsn at, byte[] target, int offset, int length) throws IOException;
  }

  /**
   * A stream of the records from one position on; {@link #limit} says how far.
   *
   * @param version told because the range may begin behind the only header of its page
   * @param from where a record starts, or may start
   */
  public WalStream(Source source, WalVersion version, int segmentBytes, Lsn from) {
    this.source = source;
    this.limit = from.value();
    this.reader =
        WalReader.atRecord(
            WalOptions.ofSegments(segmentBytes).with(version).keeping(MAX_KEPT_BYTES), from);
  }

  /** Up to where the WAL may be read; never goes back. */
  public void limit(Lsn end) {
    limit = Math.max(limit, end.value());
  }

  /**
   * Goes on to the next record.
   *
   * @return false where no whole record is left before the limit
   * @throws EbbException.Corrupt where there is none though the WAL goes on
   */
  public boolean next() throws IOException {
    while (true) {
      switch (step()) {
        case RECORD -> {
          return true;
        }
        case ZEROES ->
            throw new EbbException.Corrupt(
                "the WAL is broken at " + reader.end() + ": there are zeroes behind it");
        case MORE -> {
          Lsn from = reader.wanted();
          int bytes = (int) Math.min(WINDOW_BYTES, limit - from.value());
          if (bytes <= 0) {
            return false;
          }
          source.read(from, window, 0, bytes);
          reader.feed(window, 0, bytes);
        }
      }
    }
  }

  private WalReader.Step step() {
    try {
      return reader.next();
    } catch (WalException e) {
      throw corrupt(e);
    }
  }

  /** What to tell a caller about WAL that should have been right. */
  public static EbbException.Corrupt corrupt(WalException e) {
    return new EbbException.Corrupt("the WAL is broken: " + e.getMessage(), e);
  }

  /** The record found last; good until the stream goes on. */
  public WalRecord record() {
    return reader.record();
  }

  /** Where the next record may start: what PostgreSQL sets as the LSN of the pages it changes. */
  public Lsn end() {
    return reader.end();
  }
}
