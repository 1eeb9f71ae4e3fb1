package dev.ebb.shared.scram;

/**
 * The client's message is malformed or asks for what is not offered: ends the exchange and the
 * connection.
 */
public final class ScramViolation extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final boolean refusal;

  /** The message is shown to the client. */
  public ScramViolation(String message) {
    this(message, false);
  }

  private ScramViolation(String message, boolean refusal) {
    super(message);
    this.refusal = refusal;
  }

  static ScramViolation refused(String message) {
    return new ScramViolation(message, true);
  }

  /** Whether the message was well-formed, and speaks of another connection than this one. */
  public boolean isRefusal() {
    return refusal;
  }
}
