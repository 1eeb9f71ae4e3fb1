package dev.ebb.gateway.protocol;

import io.vertx.core.buffer.Buffer;

/**
 * Asks to cancel what another connection runs; never answered.
 *
 * @param processId and {@code secretKey}: what that connection was told in BackendKeyData
 */
public record CancelRequest(int processId, int secretKey) implements StartupPacket {
  static final int CODE = 80877102;
  static final int BYTES = 16;

  /** The whole packet. */
  public Buffer encode() {
    return Buffer.buffer(BYTES)
        .appendInt(BYTES)
        .appendInt(CODE)
        .appendInt(processId)
        .appendInt(secretKey);
  }

  @Override
  public String toString() {
    return "CancelRequest[processId=" + processId + ", secretKey=***]";
  }
}
