package dev.ebb.computeservice.postgres;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalVersion;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** WAL, in memory, whose records change one block each. */
public final class RelationRecords {
  private static final int SEGMENT = 1 << 20;
  private static final Lsn START = new Lsn(5L * SEGMENT);
  private static final int HAS_DATA = 0x20;

  private final WalWriter wal =
      new WalWriter(
          START,
          SEGMENT,
          PgControlTest.sample(PgControl.State.IN_PRODUCTION, START.plus(40), SEGMENT));

  /** A record that needs the block as it was. */
  public void change(int database, int relation, int block) {
    add(HAS_DATA, database, relation, block, 20);
  }

  /** A record that makes the block anew. */
  public void initialise(int database, int relation, int block) {
    add(HAS_DATA | 0x40, database, relation, block, 20);
  }

  /** A record that brings the whole block. */
  public void image(int database, int relation, int block) {
    add(0x10, database, relation, block, 0);
  }

  private void add(int flags, int database, int relation, int block, int dataBytes) {
    boolean image = (flags & 0x10) != 0;
    int payload = image ? 8192 : dataBytes;
    ByteBuffer body =
        ByteBuffer.allocate(4 + (image ? 5 : 0) + 16 + payload).order(ByteOrder.LITTLE_ENDIAN);
    body.put((byte) 0).put((byte) flags).putShort((short) dataBytes);
    if (image) {
      body.putShort((short) 8192).putShort((short) 0).put((byte) 0x02);
    }
    body.putInt(1663).putInt(database).putInt(relation).putInt(block);
    wal.add(10, 0, body.array());
  }

  public Lsn end() {
    return wal.end();
  }

  /** From the first record on. */
  public WalStream stream() {
    return new WalStream(wal::read, WalVersion.V18, SEGMENT, START);
  }
}
