package dev.ebb.walservice.record;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalFormat;
import dev.ebb.shared.wal.WalOptions;
import dev.ebb.shared.wal.WalReader;
import dev.ebb.shared.wal.WalRecord;
import org.jspecify.annotations.Nullable;

/**
 * Walks the chain of records of a history, from a known record boundary to the first position where
 * no complete, valid record is. The decoder ({@link WalReader}) finds the records; what is added
 * here is that a log has one timeline, and that a record whose padding is not there is not
 * complete. Records are not taken apart: the walk needs no version. Every step moves forward and is
 * bounded by the source's end, whatever the bytes are. Not thread-safe.
 */
public final class RecordReader {
  private static final int TIMELINE = 1;
  private static final int MIN_WINDOW_BYTES = 64;
  private static final int MAX_WINDOW_BYTES = 128 << 10;

  private final WalSource source;
  private final byte[] window;
  private @Nullable WalReader reader;
  private @Nullable End ended;
  private @Nullable Found found;
  private Lsn position;
  private Lsn previous;

  /** What the next step of the walk found. */
  public sealed interface Step {}

  /**
   * A valid record.
   *
   * @param record good until the next step
   */
  public record Found(WalRecord record) implements Step {}

  /**
   * No valid record starts at {@code at}.
   *
   * @param why in words, for logs
   */
  public record End(Lsn at, String why) implements Step {}

  /**
   * A walk from {@code start}: a record's start, a record's end, or a page's start.
   *
   * @param previous the record before it, or {@code Lsn.INVALID} for unknown
   */
  public RecordReader(WalSource source, int segmentBytes, Lsn start, Lsn previous) {
    this.source = source;
    this.position = start;
    this.previous = previous;
    this.window =
        new byte[Math.clamp(source.end().minus(start), MIN_WINDOW_BYTES, MAX_WINDOW_BYTES)];
    WalOptions options = WalOptions.ofSegments(segmentBytes).ofFrames();
    try {
      reader = begin(options, start);
    } catch (IllegalArgumentException e) {
      ended = new End(start, "no record can start there");
    } catch (WalException e) {
      ended = new End(start, String.valueOf(e.getMessage()));
    }
  }

  private WalReader begin(WalOptions options, Lsn start) throws WalException {
    Lsn page = WalFormat.pageStart(start);
    int header = WalFormat.headerBytes(page, options.segmentBytes());
    int offset = WalFormat.offsetInPage(start);
    boolean isThere =
        !source.first().isAfter(page) && source.end().minus(page) >= Math.max(header, offset);
    if (offset == header && isThere) {
      // The header says whether a record starts behind it.
      return WalReader.atRecord(options, page).after(previous);
    }
    WalReader begun = WalReader.atRecord(options, start).after(previous);
    if (offset != 0 && isThere) {
      var bytes = new byte[header];
      source.read(page, bytes, 0, header);
      begun.inPage(bytes);
    }
    return begun;
  }

  /** The end of the last record found, at first the start of the walk. */
  public Lsn position() {
    return position;
  }

  /** The start of the last record found, at first what the walk was given. */
  public Lsn previous() {
    return previous;
  }

  /** The next record, or why there is none; asked again at the end it says the same. */
  public Step next() {
    WalReader from = reader;
    if (ended != null || from == null) {
      return ended == null ? end("the log ends here") : ended;
    }
    try {
      while (true) {
        switch (from.next()) {
          case RECORD -> {
            return accept(from);
          }
          case ZEROES -> {
            return end("zeroes");
          }
          case MORE -> {
            Lsn at = from.wanted();
            if (at.isBefore(source.first())) {
              return end("the log begins at " + source.first() + " only");
            }
            int bytes = (int) Math.min(window.length, source.end().minus(at));
            if (bytes <= 0) {
              return end("the log ends " + (from.unfinished().isValid() ? "in a record" : "here"));
            }
            source.read(at, window, 0, bytes);
            from.feed(window, 0, bytes);
          }
        }
      }
    } catch (WalException e) {
      return end(String.valueOf(e.getMessage()));
    }
  }

  private Step accept(WalReader from) {
    WalRecord record = from.record();
    if (Integer.compareUnsigned(from.timeline(), TIMELINE) > 0) {
      return end("timeline " + Integer.toUnsignedString(from.timeline()));
    }
    // The padding behind a record (8 bytes at most, or the rest of a switched segment) belongs to
    // it: a log that ends inside cannot be gone on with at the record's end.
    if (record.end().isAfter(source.end())) {
      return end("the log ends inside the record's padding");
    }
    position = record.end();
    previous = record.start();
    Found step = found;
    if (step == null) {
      step = new Found(record);
      found = step;
    }
    return step;
  }

  private End end(String why) {
    End last = new End(position, why);
    ended = last;
    return last;
  }
}
