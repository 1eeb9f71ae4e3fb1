package dev.ebb.shared.wal;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.GeneratedWal.Body;

/** One record of composed WAL, read. */
final class Records {
  static final int SEGMENT = 1 << 20;
  static final Lsn START = new Lsn(7L * SEGMENT);

  private Records() {}

  static WalRecord read(WalVersion version, Body body) throws WalException {
    var wal = new GeneratedWal(version, SEGMENT, START);
    wal.add(body);
    var reader = WalReader.seeking(wal.options(), START, START);
    reader.feed(wal.bytes(), 0, wal.bytes().length);
    if (reader.next() != WalReader.Step.RECORD) {
      throw new AssertionError("no record");
    }
    return reader.record();
  }
}
