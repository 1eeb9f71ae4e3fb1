package dev.ebb.gateway.protocol;

/** The SQLSTATE codes that the gateway uses; PostgreSQL's {@code errcodes.txt}. */
public final class SqlState {
  public static final String QUERY_CANCELED = "57014";
  public static final String PROTOCOL_VIOLATION = "08P01";
  public static final String CONNECTION_FAILURE = "08006";
  public static final String FEATURE_NOT_SUPPORTED = "0A000";
  public static final String INVALID_PARAMETER_VALUE = "22023";
  public static final String INVALID_AUTHORIZATION = "28000";
  public static final String INVALID_PASSWORD = "28P01";
  public static final String UNDEFINED_STATEMENT = "26000";
  public static final String UNKNOWN_DATABASE = "3D000";
  public static final String INSUFFICIENT_PRIVILEGE = "42501";
  public static final String TOO_MANY_CONNECTIONS = "53300";
  public static final String OBJECT_NOT_IN_PREREQUISITE_STATE = "55000";
  public static final String ADMIN_SHUTDOWN = "57P01";
  public static final String CRASH_SHUTDOWN = "57P02";
  public static final String CANNOT_CONNECT_NOW = "57P03";

  public static final String DATA_CORRUPTED = "XX001";
  public static final String IO_ERROR = "58030";

  private SqlState() {}
}
