package dev.ebb.gateway.protocol;

/** The peer sent what the protocol does not allow. Ends the connection; never retried. */
public final class ProtocolViolation extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** The message is shown to the peer. */
  public ProtocolViolation(String message) {
    super(message);
  }
}
