package dev.ebb.shared.wal;

import dev.ebb.shared.model.Lsn;
import java.io.IOException;

/**
 * Reads records from WAL that is somewhere: pulls what a {@link WalReader} wants. Not thread-safe.
 */
public final class WalCursor {
  private static final int WINDOW_BYTES = 256 << 10;

  private final WalReader reader;
  private final Source source;
  private final byte[] window;
  private boolean atZeroes;

  /** WAL by position. */
  @FunctionalInterface
  public interface Source {
    /**
     * Copies some of the WAL from {@code at} on.
     *
     * @return how many bytes, at most {@code length}; 0 where none is there yet
     */
    int read(Lsn at, byte[] target, int offset, int length) throws IOException;
  }

  public WalCursor(WalReader reader, Source source) {
    this(reader, source, WINDOW_BYTES);
  }

  WalCursor(WalReader reader, Source source, int windowBytes) {
    this.reader = reader;
    this.source = source;
    this.window = new byte[windowBytes];
  }

  /**
   * Goes on to the next record.
   *
   * @return false where there is none yet: the source ends, or holds zeroes ({@link #atZeroes});
   *     may be asked again when it has grown
   */
  public boolean next() throws IOException, WalException {
    atZeroes = false;
    while (true) {
      switch (reader.next()) {
        case RECORD -> {
          return true;
        }
        case ZEROES -> {
          atZeroes = true;
          reader.rewind();
          return false;
        }
        case MORE -> {
          int bytes = source.read(reader.wanted(), window, 0, window.length);
          if (bytes <= 0) {
            return false;
          }
          reader.feed(window, 0, bytes);
        }
      }
    }
  }

  /** The record found last; good until the next one is asked for. */
  public WalRecord record() {
    return reader.record();
  }

  /** Whether {@link #next} found zeroes where a page or a record should begin. */
  public boolean atZeroes() {
    return atZeroes;
  }

  /** The reader beneath, for what it knows of pages and of a record that is not whole. */
  public WalReader reader() {
    return reader;
  }
}
