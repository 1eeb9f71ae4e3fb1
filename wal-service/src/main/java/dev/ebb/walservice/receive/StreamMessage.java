package dev.ebb.walservice.receive;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Lsn;
import java.nio.ByteBuffer;
import java.time.Instant;

/**
 * What a WAL sender says in copy mode, and what is said to it (PostgreSQL documentation, "Streaming
 * Replication Protocol").
 */
sealed interface StreamMessage {

  /**
   * WAL.
   *
   * @param bytes the whole message; the WAL is what follows {@code HEADER_BYTES}
   */
  record WalData(Lsn start, byte[] bytes) implements StreamMessage {
    static final int HEADER_BYTES = 25;
  }

  /** A sign of life. */
  record Keepalive(Lsn end, boolean replyRequested) implements StreamMessage {}

  /** Microseconds from 1970 to 2000, PostgreSQL's epoch. */
  long EPOCH_MICROS = 946_684_800_000_000L;

  static StreamMessage parse(byte[] message) {
    ByteBuffer buffer = ByteBuffer.wrap(message);
    byte tag = message.length == 0 ? 0 : buffer.get();
    if (tag == 'w' && message.length >= WalData.HEADER_BYTES) {
      return new WalData(new Lsn(buffer.getLong()), message);
    }
    if (tag == 'k' && message.length >= 18) {
      return new Keepalive(new Lsn(buffer.getLong()), buffer.get(17) != 0);
    }
    throw new EbbException.Unavailable(
        "the primary sent a replication message that is unknown: tag " + tag);
  }

  /**
   * A standby status update as a CopyData frame. Written, flushed and applied are one position, the
   * durable one: that makes every setting of {@code synchronous_commit} above {@code local} right.
   */
  static byte[] status(Lsn durable, boolean replyRequested, Instant now) {
    ByteBuffer frame = ByteBuffer.allocate(1 + 4 + 34);
    frame.put((byte) 'd').putInt(4 + 34).put((byte) 'r');
    frame.putLong(durable.value()).putLong(durable.value()).putLong(durable.value());
    frame.putLong(micros(now)).put((byte) (replyRequested ? 1 : 0));
    return frame.array();
  }

  /**
   * Hot standby feedback as a CopyData frame; see {@code ProcessStandbyHSFeedbackMessage} in {@code
   * walsender.c}. Never a catalog xmin: with a slot PostgreSQL would keep it apart, and hold the
   * catalogs back for a logical slot that is nobody's.
   *
   * @param oldestTransaction with its epoch in the upper half; 0 takes back what was said
   */
  static byte[] feedback(long oldestTransaction, Instant now) {
    ByteBuffer frame = ByteBuffer.allocate(1 + 4 + 25);
    frame.put((byte) 'd').putInt(4 + 25).put((byte) 'h').putLong(micros(now));
    frame.putInt((int) oldestTransaction).putInt((int) (oldestTransaction >>> 32));
    frame.putInt(0).putInt(0);
    return frame.array();
  }

  private static long micros(Instant now) {
    return now.getEpochSecond() * 1_000_000 + now.getNano() / 1_000 - EPOCH_MICROS;
  }
}
