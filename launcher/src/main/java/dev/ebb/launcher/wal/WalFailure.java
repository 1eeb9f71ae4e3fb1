package dev.ebb.launcher.wal;

/** A tool cannot do what it was asked; the message, one line, says what to do. */
final class WalFailure extends Exception {
  private static final long serialVersionUID = 1L;

  WalFailure(String message) {
    super(message);
  }
}
