package dev.ebb.gateway.protocol;

import io.vertx.core.buffer.Buffer;

/** What a later {@link CancelRequest} must name. */
public record BackendKeyData(int processId, SecretKey secretKey) implements BackendMessage {
  static final byte TYPE = 'K';

  public Buffer encode() {
    Buffer out =
        Buffer.buffer(9 + secretKey.length())
            .appendByte(TYPE)
            .appendInt(8 + secretKey.length())
            .appendInt(processId);
    secretKey.appendTo(out);
    return out;
  }

  /** The request that this is the key for. */
  public CancelRequest cancelRequest() {
    return new CancelRequest(processId, secretKey);
  }
}
