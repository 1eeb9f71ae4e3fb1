package dev.ebb.walservice.record;

import dev.ebb.shared.model.Lsn;

/** WAL bytes by position: one unbroken range. */
public interface WalSource {
  /** The first byte's position. */
  Lsn first();

  /** The position behind the last byte. */
  Lsn end();

  /** Copies {@code length} bytes; all of them lie in [{@code first}, {@code end}). */
  void read(Lsn at, byte[] into, int offset, int length);
}
