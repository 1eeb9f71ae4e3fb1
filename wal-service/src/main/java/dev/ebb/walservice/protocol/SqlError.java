package dev.ebb.walservice.protocol;

/**
 * What the client is told in place of an answer.
 *
 * @see #isFatal
 */
public final class SqlError extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public static final String SYNTAX_ERROR = "42601";
  public static final String PROTOCOL_VIOLATION = "08P01";
  public static final String FEATURE_NOT_SUPPORTED = "0A000";
  public static final String INVALID_AUTHORIZATION = "28000";
  public static final String INVALID_PASSWORD = "28P01";
  public static final String INVALID_CATALOG_NAME = "3D000";
  public static final String UNDEFINED_OBJECT = "42704";
  public static final String DUPLICATE_OBJECT = "42710";
  public static final String UNDEFINED_FILE = "58P01";
  public static final String NOT_IN_PREREQUISITE_STATE = "55000";
  public static final String TOO_MANY_CONNECTIONS = "53300";
  public static final String ADMIN_SHUTDOWN = "57P01";
  public static final String CANNOT_CONNECT_NOW = "57P03";
  public static final String DATA_CORRUPTED = "XX001";
  public static final String INTERNAL_ERROR = "XX000";

  private final boolean fatal;
  private final String sqlState;
  private final String hint;

  private SqlError(boolean fatal, String sqlState, String message, String hint) {
    super(message);
    this.fatal = fatal;
    this.sqlState = sqlState;
    this.hint = hint;
  }

  /** The command fails; the connection goes on. */
  public static SqlError error(String sqlState, String message) {
    return new SqlError(false, sqlState, message, "");
  }

  /** The connection ends. */
  public static SqlError fatal(String sqlState, String message) {
    return new SqlError(true, sqlState, message, "");
  }

  /** The same with what to do about it. */
  public SqlError withHint(String what) {
    return new SqlError(fatal, sqlState, String.valueOf(getMessage()), what);
  }

  /** Whether the connection ends with it. */
  public boolean isFatal() {
    return fatal;
  }

  public String sqlState() {
    return sqlState;
  }

  /** What to do about it; empty for nothing. */
  public String hint() {
    return hint;
  }
}
