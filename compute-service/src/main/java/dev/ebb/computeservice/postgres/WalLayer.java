package dev.ebb.computeservice.postgres;

import dev.ebb.shared.model.Lsn;
import java.io.IOException;

/** Writes a contiguous range of WAL into segment files, chunk by chunk. */
public final class WalLayer implements AutoCloseable {
  WalLayer() {}

  /** Where the next byte goes. */
  public Lsn position() {
    throw new UnsupportedOperationException("being written");
  }

  /** Writes the next bytes of the log. */
  public void append(byte[] bytes, int offset, int length) throws IOException {
    throw new UnsupportedOperationException("being written");
  }

  /** Zero-pads the last segment: the log ends at {@link #position()}, which it returns. */
  public Lsn finish() throws IOException {
    throw new UnsupportedOperationException("being written");
  }

  @Override
  public void close() throws IOException {
    throw new UnsupportedOperationException("being written");
  }
}
