package dev.ebb.gateway.protocol;

import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;

/** Reads what a client sends while it logs in. Later bytes are relayed unread. */
public final class FrontendDecoder {
  /** {@code PG_MAX_SASL_MESSAGE_LENGTH} of PostgreSQL's {@code auth-sasl.h}. */
  public static final int MAX_BODY_BYTES = 1024;

  private FrontendDecoder() {}

  /**
   * Takes one message from {@code in}.
   *
   * @return null where more bytes are needed; nothing is taken then
   * @throws ProtocolViolation as soon as the bytes cannot become a message
   */
  public static @Nullable FrontendMessage decode(ByteBuf in) {
    if (in.readableBytes() < 5) {
      if (in.isReadable()) {
        requireKnown(in.getByte(in.readerIndex()));
      }
      return null;
    }
    byte type = in.getByte(in.readerIndex());
    requireKnown(type);
    int length = in.getInt(in.readerIndex() + 1);
    if (length < 4 || length > MAX_BODY_BYTES + 4) {
      throw new ProtocolViolation("invalid length of a login message");
    }
    if (in.readableBytes() < length + 1) {
      return null;
    }
    in.skipBytes(5);
    var body = new byte[length - 4];
    in.readBytes(body);
    return switch (type) {
      case SaslData.TYPE -> new SaslData(body);
      case Terminate.TYPE -> new Terminate();
      default -> throw new IllegalStateException("unreachable: " + type);
    };
  }

  private static void requireKnown(byte type) {
    if (type != SaslData.TYPE && type != Terminate.TYPE) {
      throw new ProtocolViolation(
          "expected SASL response, got message type " + (type & 0xFF) + " while logging in");
    }
  }
}
