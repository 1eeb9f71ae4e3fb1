package dev.ebb.walservice.receive;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import dev.ebb.walservice.record.WalPage;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;

/**
 * Proves, before anything is appended, that a stream goes on where the log ends: the bytes before
 * the end equal the log's, and the first record behind it names the log's last record as the one
 * before it. A primary that fails here was started from other WAL than the log has.
 *
 * @param end where the log ends
 * @param lastRecord the start of the log's last record, where the log ends behind a record and it
 *     is known; else {@code Lsn.INVALID}
 * @param overlapFrom the position of {@code overlap}, which ends at {@code end}
 * @param segmentBytes of the primary's WAL; not used where {@code lastRecord} is unknown
 */
public record StreamStart(
    Lsn end, Lsn lastRecord, Lsn overlapFrom, byte[] overlap, int segmentBytes) {
  private static final byte[] NONE = {};

  /** A stream that goes on behind bytes that were appended before. */
  public static StreamStart behind(Lsn lsn, byte[] bytes) {
    return new StreamStart(lsn.plus(bytes.length), Lsn.INVALID, lsn, bytes, 0);
  }

  /** A stream that goes on at a position of which nothing is known. */
  public static StreamStart at(Lsn end) {
    return new StreamStart(end, Lsn.INVALID, end, NONE, 0);
  }

  Check check() {
    return new Check();
  }

  /** One stream being checked. */
  final class Check {
    private final ByteArrayOutputStream held = new ByteArrayOutputStream();
    private Lsn position = overlapFrom;
    private boolean proven = !lastRecord.isValid();

    /**
     * Takes the stream's next bytes.
     *
     * @return those that may be appended, from {@code end} or behind what was returned before;
     *     empty while they prove nothing yet
     */
    byte[] accept(Lsn at, byte[] bytes, int from) {
      if (!at.equals(position)) {
        throw new EbbException.Unavailable("the stream jumps from " + position + " to " + at);
      }
      int length = bytes.length - from;
      int repeated = Math.clamp(end.minus(at), 0, length);
      int overlapAt = (int) at.minus(overlapFrom);
      if (repeated > 0
          && !Arrays.equals(
              bytes, from, from + repeated, overlap, overlapAt, overlapAt + repeated)) {
        throw new EbbException.Corrupt(
            "the primary's WAL from " + at + " differs from the log's: it must not go on");
      }
      position = at.plus(length);
      if (proven) {
        return Arrays.copyOfRange(bytes, from + repeated, bytes.length);
      }
      held.write(bytes, from + repeated, length - repeated);
      return prove();
    }

    private byte[] prove() {
      Lsn record = WalPage.recordStart(end, segmentBytes);
      Lsn previousAt = WalPage.skip(record, 8, segmentBytes);
      int at = (int) previousAt.minus(end);
      if (held.size() < at + Long.BYTES) {
        return NONE;
      }
      byte[] bytes = held.toByteArray();
      Lsn previous = WalPage.readLsn(bytes, at);
      if (!previous.equals(lastRecord)) {
        throw new EbbException.Corrupt(
            "the primary's first record behind "
                + end
                + " follows a record at "
                + previous
                + ", but the log's last one is at "
                + lastRecord);
      }
      proven = true;
      held.reset();
      return bytes;
    }
  }
}
