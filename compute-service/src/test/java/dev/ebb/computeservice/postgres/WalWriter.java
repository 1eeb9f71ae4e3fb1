package dev.ebb.computeservice.postgres;

import dev.ebb.shared.model.Lsn;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32C;

/** Makes WAL as PostgreSQL would, in memory, from the start of a segment on. */
public final class WalWriter {
  final Lsn start;
  final byte[] bytes;
  private final WalSegments segments;
  private final PgControl control;
  private int at;
  private Lsn previous = Lsn.INVALID;

  public WalWriter(Lsn start, int capacity, PgControl control) {
    this.start = start;
    this.bytes = new byte[capacity];
    this.control = control;
    this.segments = new WalSegments(control.walSegmentBytes());
  }

  public Lsn end() {
    return start.plus(at);
  }

  /** Adds a record with so many bytes of main data, its header included; none has one byte. */
  public Lsn add(int manager, int info, int bodyBytes) {
    byte[] body = new byte[bodyBytes == 1 ? 0 : bodyBytes];
    for (int i = 0; i < body.length; i++) {
      body[i] = (byte) ((i + 24) * 31 + bodyBytes);
    }
    if (body.length > 257) {
      ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN).put((byte) 254).putInt(body.length - 5);
    } else if (body.length > 0) {
      body[0] = (byte) 255;
      body[1] = (byte) (body.length - 2);
    }
    return add(manager, info, body);
  }

  /** Adds a record with this behind its header, and returns where it starts. */
  public Lsn add(int manager, int info, byte[] body) {
    byte[] record = new byte[24 + body.length];
    System.arraycopy(body, 0, record, 24, body.length);
    if (at % 8192 == 0) {
      header(0, false);
    }
    final Lsn begin = end();
    ByteBuffer fields = ByteBuffer.wrap(record).order(ByteOrder.LITTLE_ENDIAN);
    fields.putInt(0, record.length);
    fields.putLong(8, previous.value());
    fields.put(16, (byte) info);
    fields.put(17, (byte) manager);
    var crc = new CRC32C();
    crc.update(record, 24, body.length);
    crc.update(record, 0, 20);
    fields.putInt(20, (int) crc.getValue());
    previous = begin;
    int done = 0;
    while (done < record.length) {
      if (at % 8192 == 0) {
        header(record.length - done, true);
      }
      int part = Math.min(record.length - done, 8192 - at % 8192);
      System.arraycopy(record, done, bytes, at, part);
      done += part;
      at += part;
    }
    at = (at + 7) & -8;
    return begin;
  }

  /** Reads what was written, as a stream of records does. */
  public void read(Lsn from, byte[] target, int offset, int length) {
    System.arraycopy(bytes, (int) from.minus(start), target, offset, length);
  }

  private void header(int remaining, boolean continues) {
    byte[] header = WalPageHeader.synthesised(end(), segments, control);
    ByteBuffer fields = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
    fields.putShort(2, (short) (fields.getShort(2) | (continues ? 1 : 0)));
    fields.putInt(16, remaining);
    System.arraycopy(header, 0, bytes, at, header.length);
    at += header.length;
  }
}
