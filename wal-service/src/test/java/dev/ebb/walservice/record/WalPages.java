package dev.ebb.walservice.record;

import dev.ebb.shared.model.Lsn;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/** Writes WAL as PostgreSQL 18 does, record by record, for tests. */
public final class WalPages {
  public static final int SEGMENT = 1 << 20;

  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final Lsn first;
  private Lsn previous = Lsn.INVALID;

  /** WAL that starts at a segment's start. */
  public WalPages(Lsn first) {
    this.first = first;
  }

  public Lsn end() {
    return first.plus(bytes.size());
  }

  Lsn first() {
    return first;
  }

  Lsn previous() {
    return previous;
  }

  public byte[] bytes() {
    return bytes.toByteArray();
  }

  /** Adds a record of so many bytes, header included. */
  public Lsn add(int length) {
    return add(length, 10, 0);
  }

  /** Adds a record that ends exactly at the end of the present page. */
  Lsn addToPageEnd() {
    header(0);
    return add(WalPage.BYTES - WalPage.offsetIn(end()));
  }

  /** Adds a segment switch and the zeroes that follow it. */
  Lsn addSwitch() {
    Lsn start = add(24, 0, 0x40);
    while (end().value() % SEGMENT != 0) {
      bytes.write(0);
    }
    return start;
  }

  /** Adds the commit of a transaction, or another record of its kind, at a time. */
  public Lsn addTransactionEnd(int info, long epochMicros, int moreBytes) {
    int data = Long.BYTES + moreBytes;
    ByteBuffer content = ByteBuffer.allocate(data + 16).order(ByteOrder.LITTLE_ENDIAN);
    if (data > 255) {
      content.put((byte) 254).putInt(data);
    } else {
      content.put((byte) 255).put((byte) data);
    }
    content.putLong(epochMicros - 946_684_800_000_000L);
    for (int i = 0; i < moreBytes; i++) {
      content.put((byte) i);
    }
    return add(java.util.Arrays.copyOf(content.array(), content.position()), 1, info);
  }

  private Lsn add(int length, int manager, int info) {
    var content = new byte[length - 24];
    for (int i = 0; i < content.length; i++) {
      content[i] = (byte) ((i + 24) * 31 + length);
    }
    return add(content, manager, info);
  }

  private Lsn add(byte[] content, int manager, int info) {
    int length = content.length + 24;
    header(0);
    Lsn start = end();
    ByteBuffer record = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    record.putInt(length).putInt(7).putLong(previous.value());
    record.put((byte) info).put((byte) manager);
    record.put(24, content);
    var crc = new CRC32C();
    crc.update(record.array(), 24, length - 24);
    crc.update(record.array(), 0, 20);
    record.putInt(20, (int) crc.getValue());
    for (int i = 0; i < length; i++) {
      header(length - i);
      bytes.write(record.get(i));
    }
    while (bytes.size() % 8 != 0) {
      bytes.write(0);
    }
    previous = start;
    return start;
  }

  /** The page header that belongs at the present position, if one does. */
  private void header(int remaining) {
    Lsn at = end();
    if (WalPage.offsetIn(at) != 0) {
      return;
    }
    boolean isLong = at.value() % SEGMENT == 0;
    ByteBuffer header = ByteBuffer.allocate(isLong ? 40 : 24).order(ByteOrder.LITTLE_ENDIAN);
    header.putShort((short) 0xD118);
    header.putShort((short) ((remaining > 0 ? 1 : 0) | (isLong ? 2 : 0)));
    header.putInt(1).putLong(at.value()).putInt(remaining);
    if (isLong) {
      header.putLong(24, 42).putInt(32, SEGMENT).putInt(36, WalPage.BYTES);
    }
    bytes.writeBytes(header.array());
  }

  /** A source over an array. */
  static WalSource source(Lsn first, byte[] bytes) {
    return new WalSource() {
      @Override
      public Lsn first() {
        return first;
      }

      @Override
      public Lsn end() {
        return first.plus(bytes.length);
      }

      @Override
      public void read(Lsn at, byte[] into, int offset, int length) {
        System.arraycopy(bytes, (int) at.minus(first), into, offset, length);
      }
    };
  }
}
