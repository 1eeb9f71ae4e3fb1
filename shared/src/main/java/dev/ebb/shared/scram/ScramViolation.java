package dev.ebb.shared.scram;

/**
 * The client's message is malformed or asks for what is not offered: ends the exchange and the
 * connection.
 */
public final class ScramViolation extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** The message is shown to the client. */
  public ScramViolation(String message) {
    super(message);
  }
}
