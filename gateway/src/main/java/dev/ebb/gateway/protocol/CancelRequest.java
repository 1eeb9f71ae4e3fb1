package dev.ebb.gateway.protocol;

import io.vertx.core.buffer.Buffer;

/**
 * Asks to cancel what another connection runs; never answered.
 *
 * @param processId and {@code secretKey}: what that connection was told in BackendKeyData
 */
public record CancelRequest(int processId, SecretKey secretKey) implements StartupPacket {
  static final int CODE = 80877102;
  private static final int HEADER_BYTES = 12;

  /** The whole packet. */
  public Buffer encode() {
    int length = HEADER_BYTES + secretKey.length();
    Buffer out = Buffer.buffer(length).appendInt(length).appendInt(CODE).appendInt(processId);
    secretKey.appendTo(out);
    return out;
  }
}
