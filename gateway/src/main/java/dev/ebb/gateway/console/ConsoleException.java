package dev.ebb.gateway.console;

/** A statement that the console cannot do. */
public final class ConsoleException extends RuntimeException {
  static final String SYNTAX_ERROR = "42601";
  static final String UNDEFINED_OBJECT = "42704";

  private static final long serialVersionUID = 1L;

  private final String sqlState;
  private final String hint;

  /**
   * @param hint what to do; may be empty
   */
  public ConsoleException(String sqlState, String message, String hint) {
    super(message, null, false, false);
    this.sqlState = sqlState;
    this.hint = hint;
  }

  String sqlState() {
    return sqlState;
  }

  String hint() {
    return hint;
  }
}
