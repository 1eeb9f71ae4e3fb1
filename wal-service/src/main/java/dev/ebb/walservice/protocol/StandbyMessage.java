package dev.ebb.walservice.protocol;

import dev.ebb.shared.model.Lsn;
import java.nio.ByteBuffer;

/** What a standby says while WAL is streamed to it; see {@code ProcessStandbyMessage}. */
public sealed interface StandbyMessage {

  /**
   * How far it is; positions may be invalid.
   *
   * @param clockMicros the standby's clock, microseconds since 2000
   */
  record Status(Lsn write, Lsn flush, Lsn apply, long clockMicros, boolean replyRequested)
      implements StandbyMessage {}

  /**
   * What its queries still need; 0 for nothing.
   *
   * @param xmin and {@code catalogXmin}: with the epoch in the upper half
   */
  record HotStandbyFeedback(long clockMicros, long xmin, long catalogXmin)
      implements StandbyMessage {}

  int STATUS_BYTES = 34;
  int FEEDBACK_BYTES = 25;

  /** Parses the content of a CopyData message. */
  static StandbyMessage parse(byte[] content) {
    if (content.length == 0) {
      throw SqlError.fatal(SqlError.PROTOCOL_VIOLATION, "an empty message from the standby");
    }
    ByteBuffer in = ByteBuffer.wrap(content);
    char type = (char) (in.get() & 0xFF);
    return switch (type) {
      case 'r' -> {
        requireLength(content, STATUS_BYTES);
        yield new Status(
            new Lsn(in.getLong()),
            new Lsn(in.getLong()),
            new Lsn(in.getLong()),
            in.getLong(),
            in.get() != 0);
      }
      case 'h' -> {
        requireLength(content, FEEDBACK_BYTES);
        long clock = in.getLong();
        yield new HotStandbyFeedback(clock, withEpoch(in), withEpoch(in));
      }
      default ->
          throw SqlError.fatal(
              SqlError.PROTOCOL_VIOLATION,
              "unexpected message type "
                  + (type > ' ' && type < 127 ? "\"" + type + "\"" : String.valueOf((int) type)));
    };
  }

  private static long withEpoch(ByteBuffer in) {
    long xid = Integer.toUnsignedLong(in.getInt());
    long epoch = Integer.toUnsignedLong(in.getInt());
    return xid == 0 ? 0 : epoch << 32 | xid;
  }

  private static void requireLength(byte[] content, int expected) {
    if (content.length != expected) {
      throw SqlError.fatal(
          SqlError.PROTOCOL_VIOLATION,
          "a message of "
              + content.length
              + " bytes from the standby where "
              + expected
              + " belong");
    }
  }
}
