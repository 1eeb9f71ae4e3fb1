package dev.ebb.walservice.send;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.Manifest.WalPiece;
import dev.ebb.shared.wal.WalVersion;
import dev.ebb.walservice.record.WalPage;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * What lies before a log's very beginning in its first segment, for clients that write whole files.
 * The branch never had WAL there, but for the pieces that its first snapshot is recovered from: a
 * page header where a reader of the file needs one, those pieces, else zeroes. Layout of headers:
 * {@code src/include/access/xlog_internal.h}.
 */
final class SegmentPrefix {
  private static final int LONG_HEADER = 0x0002;
  private static final int TIMELINE = 1;

  private SegmentPrefix() {}

  /** The bytes of [{@code from}, {@code beginning}), both in one segment. */
  static byte[] of(ServedBranch branch, Lsn from, Lsn beginning) {
    var segment = new Lsn(from.value() & -(long) branch.segmentBytes());
    var all = new byte[(int) beginning.minus(segment)];
    header(branch, all, segment, segment);
    header(branch, all, segment, WalPage.startOf(beginning));
    for (WalPiece piece : branch.pieces()) {
      for (int i = 0; i < piece.bytes().length; i++) {
        long at = piece.start().plus(i).minus(segment);
        if (at >= 0 && at < all.length) {
          all[(int) at] = piece.bytes()[i];
        }
      }
    }
    identify(branch, all);
    return java.util.Arrays.copyOfRange(all, (int) from.minus(segment), all.length);
  }

  private static void header(ServedBranch branch, byte[] all, Lsn segment, Lsn page) {
    boolean isLong = page.equals(segment);
    int at = (int) page.minus(segment);
    int length = isLong ? WalPage.LONG_HEADER_BYTES : WalPage.SHORT_HEADER_BYTES;
    if (at + length > all.length) {
      return;
    }
    ByteBuffer out = ByteBuffer.wrap(all, at, length).order(ByteOrder.LITTLE_ENDIAN);
    out.putShort((short) WalVersion.ofMajor(branch.majorVersion()).pageMagic());
    out.putShort((short) (isLong ? LONG_HEADER : 0));
    out.putInt(TIMELINE).putLong(page.value()).putInt(0).putInt(0);
    if (isLong) {
      out.putLong(branch.systemIdentifier()).putInt(branch.segmentBytes()).putInt(WalPage.BYTES);
    }
  }

  /** Pieces of a parent's snapshot have its identifier. */
  private static void identify(ServedBranch branch, byte[] all) {
    if (all.length >= WalPage.LONG_HEADER_BYTES) {
      ByteBuffer.wrap(all)
          .order(ByteOrder.LITTLE_ENDIAN)
          .putLong(WalPage.SHORT_HEADER_BYTES, branch.systemIdentifier());
    }
  }
}
