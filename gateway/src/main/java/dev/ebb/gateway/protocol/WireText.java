package dev.ebb.gateway.protocol;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;

/** Zero-terminated strings. */
final class WireText {
  private WireText() {}

  /** Reads up to the next zero byte, which must lie within {@code in}. */
  static String read(ByteBuf in, String what) {
    int length = in.bytesBefore((byte) 0);
    if (length < 0) {
      throw new ProtocolViolation(what + " is not terminated");
    }
    String text = in.readCharSequence(length, StandardCharsets.UTF_8).toString();
    in.skipBytes(1);
    return text;
  }
}
