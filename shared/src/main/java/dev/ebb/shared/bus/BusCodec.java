package dev.ebb.shared.bus;

import dev.ebb.shared.error.EbbException;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.eventbus.MessageCodec;

/**
 * The wire form of a {@link BusMessage}: format version (1 byte), tag (2 bytes), length of the body
 * (4 bytes), body as {@link RecordCodec} writes it. Messages are immutable, so that delivery within
 * the process hands on the very object.
 */
public final class BusCodec implements MessageCodec<BusMessage, BusMessage> {
  static final String NAME = "ebb";
  private static final byte VERSION = 1;
  private static final int HEADER_BYTES = 7;
  private static final int LENGTH_OFFSET = 3;

  @Override
  public void encodeToWire(Buffer buffer, BusMessage message) {
    if (!(message instanceof Record content)) {
      throw new IllegalArgumentException(message.getClass() + " is no record");
    }
    int start = buffer.length();
    buffer.appendByte(VERSION).appendShort((short) MessageTags.tagOf(message)).appendInt(0);
    RecordCodec.write(buffer, content);
    // the body goes in place, so that a large one is copied once
    buffer.setInt(start + LENGTH_OFFSET, buffer.length() - start - HEADER_BYTES);
  }

  @Override
  public BusMessage decodeFromWire(int position, Buffer buffer) {
    if (buffer.length() - position < HEADER_BYTES) {
      throw new EbbException.Invalid("a truncated bus message");
    }
    byte version = buffer.getByte(position);
    if (version != VERSION) {
      throw new EbbException.Invalid(
          "bus format " + version + " is not known here: are all members of one version of Ebb?");
    }
    Class<? extends BusMessage> type = MessageTags.typeOf(buffer.getUnsignedShort(position + 1));
    int length = buffer.getInt(position + LENGTH_OFFSET);
    if (length < 0 || length > buffer.length() - position - HEADER_BYTES) {
      throw new EbbException.Invalid("a truncated bus message");
    }
    var reader =
        new RecordCodec.Reader(buffer, position + HEADER_BYTES, position + HEADER_BYTES + length);
    BusMessage message = type.cast(RecordCodec.read(reader, type));
    reader.expectEnd();
    return message;
  }

  @Override
  public BusMessage transform(BusMessage message) {
    return message;
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public byte systemCodecID() {
    return -1;
  }
}
