package dev.ebb.launcher.cli;

/** A command cannot do what it was asked; the message, one line, says what to do. */
final class CommandException extends Exception {
  private static final long serialVersionUID = 1L;

  CommandException(String message) {
    super(message);
  }
}
