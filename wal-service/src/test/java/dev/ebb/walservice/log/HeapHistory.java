package dev.ebb.walservice.log;

import dev.ebb.shared.model.Lsn;
import java.util.Arrays;

/** A history in memory, which knows which of its bytes were written. */
public final class HeapHistory implements History {
  private final Lsn keptFrom;
  private byte[] bytes = new byte[1024];

  public HeapHistory(Lsn keptFrom) {
    this.keptFrom = keptFrom;
  }

  @Override
  public Lsn keptFrom() {
    return keptFrom;
  }

  @Override
  public void write(Lsn at, byte[] from, int offset, int length) {
    int position = (int) at.minus(keptFrom);
    if (position + length > bytes.length) {
      bytes = Arrays.copyOf(bytes, Math.max(position + length, bytes.length * 2));
    }
    System.arraycopy(from, offset, bytes, position, length);
  }

  @Override
  public void read(Lsn at, byte[] into, int offset, int length) {
    System.arraycopy(bytes, (int) at.minus(keptFrom), into, offset, length);
  }
}
