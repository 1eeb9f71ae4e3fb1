package dev.ebb.gateway.protocol;

import io.vertx.core.buffer.Buffer;
import java.util.List;

/** Tells a client that it gets protocol 3.0 and none of the options that it asked for. */
public record NegotiateProtocolVersion(List<String> unknownOptions) implements BackendMessage {
  static final byte TYPE = 'v';

  public Buffer encode() {
    Buffer body = Buffer.buffer().appendInt(3 << 16).appendInt(unknownOptions.size());
    unknownOptions.forEach(option -> body.appendString(option).appendByte((byte) 0));
    return Buffer.buffer().appendByte(TYPE).appendInt(4 + body.length()).appendBuffer(body);
  }
}
