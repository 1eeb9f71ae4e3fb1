package dev.ebb.shared.wal;

import static dev.ebb.shared.wal.WalFormat.PAGE_BYTES;

import dev.ebb.shared.model.Lsn;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/** Composes WAL in memory as PostgreSQL would, from the start of a page on. */
public final class GeneratedWal {
  static final long SYSTEM_IDENTIFIER = 0x6A5B4C3D2E1F0099L;

  final WalVersion version;
  final int segmentBytes;
  final Lsn start;

  /** What was written, in order. */
  final List<Written> records = new ArrayList<>();

  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private int timeline = 1;
  private long previous;
  private int flagsOfNextPage;

  /** A record as it should be read. */
  record Written(Lsn start, Lsn end, Lsn previous, byte[] bytes) {}

  /** From a page's start on. */
  public GeneratedWal(WalVersion version, int segmentBytes, Lsn start) {
    this.version = version;
    this.segmentBytes = segmentBytes;
    this.start = start;
  }

  WalOptions options() {
    return WalOptions.ofSegments(segmentBytes);
  }

  byte[] bytes() {
    return out.toByteArray();
  }

  Lsn end() {
    return start.plus(out.size());
  }

  void timeline(int timeline) {
    this.timeline = timeline;
  }

  /** Says which record came before the first one. */
  GeneratedWal after(Lsn lsn) {
    previous = lsn.value();
    return this;
  }

  /** Adds a record of an operation with so many bytes of main data. */
  Lsn add(int manager, int info, int mainBytes) {
    return add(new Body(manager, info).main(filler(mainBytes, mainBytes)));
  }

  static byte[] filler(int bytes, int seed) {
    byte[] filler = new byte[bytes];
    for (int i = 0; i < bytes; i++) {
      filler[i] = (byte) (i * 31 + seed * 7 + (i >> 8));
    }
    return filler;
  }

  /** Adds a record and returns where it starts. */
  Lsn add(Body body) {
    return add(body.bytes(previous));
  }

  /**
   * Adds a record of these bytes, linked to the one before it and with a checksum that is right.
   */
  Lsn addSealed(byte[] record) {
    ByteBuffer.wrap(record)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putInt(0, record.length)
        .putLong(8, previous);
    Body.seal(record);
    return add(record);
  }

  private Lsn add(byte[] bytes) {
    if (pageOffset() == 0) {
      header(0);
    }
    final Lsn begin = end();
    write(bytes, 0, bytes.length);
    pad();
    if (bytes[17] == 0 && (bytes[16] & 0xF0) == 0x40) {
      padSegment();
    }
    records.add(new Written(begin, end(), new Lsn(previous), bytes));
    previous = begin.value();
    return begin;
  }

  /**
   * Starts a record and gives it up at the end of its first page, as a crash there and the recovery
   * from it do.
   */
  Lsn giveUp(Body body) {
    byte[] bytes = body.bytes(previous);
    if (pageOffset() == 0) {
      header(0);
    }
    final Lsn begin = end();
    int room = PAGE_BYTES - pageOffset();
    if (bytes.length <= room) {
      throw new IllegalArgumentException("the record fits into its page");
    }
    out.write(bytes, 0, room);
    flagsOfNextPage = 0x0008;
    return begin;
  }

  private void write(byte[] bytes, int from, int to) {
    int done = from;
    while (done < to) {
      if (pageOffset() == 0) {
        header(to - done);
      }
      int part = Math.min(to - done, PAGE_BYTES - pageOffset());
      out.write(bytes, done, part);
      done += part;
    }
  }

  private int pageOffset() {
    return out.size() % PAGE_BYTES;
  }

  private void pad() {
    while (out.size() % 8 != 0) {
      out.write(0);
    }
  }

  private void padSegment() {
    while ((end().value() & (segmentBytes - 1)) != 0) {
      if (pageOffset() == 0) {
        header(0);
      }
      out.write(new byte[PAGE_BYTES - pageOffset()], 0, PAGE_BYTES - pageOffset());
    }
  }

  /** Fills the page with zeroes, and so many pages more. */
  void zeroes(int pages) {
    int bytes = (PAGE_BYTES - pageOffset()) % PAGE_BYTES + pages * PAGE_BYTES;
    out.write(new byte[bytes], 0, bytes);
  }

  private void header(int remaining) {
    int length = WalFormat.headerBytes(end().value(), segmentBytes);
    ByteBuffer header = ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    boolean isLong = length == WalFormat.LONG_HEADER_BYTES;
    header.putShort(0, (short) version.pageMagic());
    header.putShort(
        2, (short) (flagsOfNextPage | (remaining > 0 ? 0x0001 : 0) | (isLong ? 0x0002 : 0)));
    header.putInt(4, timeline);
    header.putLong(8, end().value());
    header.putInt(16, remaining);
    if (isLong) {
      header.putLong(24, SYSTEM_IDENTIFIER);
      header.putInt(32, segmentBytes);
      header.putInt(36, PAGE_BYTES);
    }
    flagsOfNextPage = 0;
    out.write(header.array(), 0, length);
  }

  /** What a record is to be made of. */
  static final class Body {
    final int manager;
    final int info;
    private int xid;
    private final ByteArrayOutputStream headers = new ByteArrayOutputStream();
    private final ByteArrayOutputStream payload = new ByteArrayOutputStream();
    private byte[] main = new byte[0];
    private boolean mainIsLong;

    Body(int manager, int info) {
      this.manager = manager;
      this.info = info;
    }

    Body xid(int xid) {
      this.xid = xid;
      return this;
    }

    Body origin(int origin) {
      return header(fields(3).put((byte) 253).putShort((short) origin));
    }

    Body topLevelXid(int xid) {
      return header(fields(5).put((byte) 252).putInt(xid));
    }

    Body main(byte[] data) {
      main = data;
      mainIsLong = data.length > 255;
      return this;
    }

    /** A reference to a block, without an image. */
    Body block(int id, int flags, RelFileLocator relation, int block, byte[] data) {
      return block(id, flags, relation, block, new byte[0], new byte[0], data);
    }

    /** A reference; the image's header says its length, hole's offset, flags and hole's length. */
    Body block(
        int id,
        int flags,
        RelFileLocator relation,
        int block,
        byte[] imageHeader,
        byte[] image,
        byte[] data) {
      header(fields(4).put((byte) id).put((byte) flags).putShort((short) data.length));
      headers.writeBytes(imageHeader);
      if ((flags & 0x80) == 0) {
        header(
            fields(12)
                .putInt(relation.spcOid())
                .putInt(relation.dbOid())
                .putInt(relation.relNumber()));
      }
      payload.writeBytes(image);
      payload.writeBytes(data);
      return header(fields(4).putInt(block));
    }

    /** Bytes as they are among the headers of the parts. */
    Body header(ByteBuffer fields) {
      headers.writeBytes(all(fields));
      return this;
    }

    /** All of a buffer, however much of it has been filled. */
    static byte[] all(ByteBuffer fields) {
      byte[] bytes = new byte[fields.capacity()];
      fields.duplicate().clear().get(bytes);
      return bytes;
    }

    static ByteBuffer fields(int bytes) {
      return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private byte[] bytes(long previous) {
      if (mainIsLong) {
        header(fields(5).put((byte) 254).putInt(main.length));
      } else if (main.length > 0) {
        header(fields(2).put((byte) 255).put((byte) main.length));
      }
      int length = 24 + headers.size() + payload.size() + main.length;
      ByteBuffer record = fields(length);
      record.putInt(length).putInt(xid).putLong(previous);
      record.put((byte) info).put((byte) manager).putShort((short) 0).putInt(0);
      record.put(headers.toByteArray()).put(payload.toByteArray()).put(main);
      byte[] bytes = all(record);
      seal(bytes);
      return bytes;
    }

    static void seal(byte[] record) {
      var crc = new CRC32C();
      crc.update(record, 24, record.length - 24);
      crc.update(record, 0, 20);
      ByteBuffer.wrap(record).order(ByteOrder.LITTLE_ENDIAN).putInt(20, (int) crc.getValue());
    }
  }
}
