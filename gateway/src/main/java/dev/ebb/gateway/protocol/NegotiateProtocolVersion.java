package dev.ebb.gateway.protocol;

import io.netty.buffer.ByteBuf;
import io.vertx.core.buffer.Buffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Tells a client which protocol 3 it gets, and that it gets none of the options that it asked for.
 *
 * @param minorVersion not above what was asked for
 */
public record NegotiateProtocolVersion(int minorVersion, List<String> unknownOptions)
    implements BackendMessage {
  static final byte TYPE = 'v';

  public Buffer encode() {
    Buffer body =
        Buffer.buffer()
            .appendInt(StartupMessage.MAJOR_VERSION << 16 | minorVersion)
            .appendInt(unknownOptions.size());
    unknownOptions.forEach(option -> body.appendString(option).appendByte((byte) 0));
    return Buffer.buffer().appendByte(TYPE).appendInt(4 + body.length()).appendBuffer(body);
  }

  static NegotiateProtocolVersion decode(ByteBuf body) {
    if (body.readableBytes() < 8) {
      throw new ProtocolViolation("the compute sent a truncated message");
    }
    int version = body.readInt();
    int count = body.readInt();
    if (version >>> 16 != StartupMessage.MAJOR_VERSION || count < 0) {
      throw new ProtocolViolation("the compute negotiates an impossible protocol version");
    }
    var options = new ArrayList<String>();
    for (int i = 0; i < count; i++) {
      options.add(WireText.read(body, "a protocol option"));
    }
    return new NegotiateProtocolVersion(version & 0xFFFF, List.copyOf(options));
  }
}
