package dev.ebb.gateway.session;

import dev.ebb.gateway.protocol.SqlState;
import java.util.Locale;

/** Why a client's connection ended: a tag of the metric and a word of the log line. */
public enum DisconnectReason {
  /** It said so. */
  CLIENT_TERMINATED,
  /** Its connection ended without a word. */
  CLIENT_GONE,
  /** It came for a cancel request only. */
  CANCEL_REQUEST,
  /** It did not prove its password, in time or at all. */
  LOGIN_FAILED,
  LOGIN_TIMEOUT,
  TLS_FAILED,
  /** What it sent is not the protocol. */
  PROTOCOL_VIOLATION,
  /** It wanted what does not exist, or what it may not have. */
  REFUSED,
  /** A limit of the gateway's, or of the compute's. */
  TOO_MANY_CONNECTIONS,
  /** No compute could be had. */
  COMPUTE_UNAVAILABLE,
  /** The compute's connection broke. */
  COMPUTE_LOST,
  /** The compute ended the session, and said so to the client. */
  COMPUTE_ENDED,
  /** The branch runs elsewhere by now. */
  COMPUTE_MOVED,
  /** An administrator ended it. */
  KILLED,
  /** The gateway stops: between two transactions. */
  DRAINED,
  /** The gateway stops: at once, or a transaction took too long. */
  SHUTDOWN,
  INTERNAL_ERROR;

  /** As it is shown. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** What a refusal's SQLSTATE says. */
  static DisconnectReason of(String sqlState) {
    return switch (sqlState) {
      case SqlState.PROTOCOL_VIOLATION -> PROTOCOL_VIOLATION;
      case SqlState.INVALID_PASSWORD -> LOGIN_FAILED;
      case SqlState.TOO_MANY_CONNECTIONS -> TOO_MANY_CONNECTIONS;
      case SqlState.CANNOT_CONNECT_NOW -> COMPUTE_UNAVAILABLE;
      case SqlState.CONNECTION_FAILURE -> COMPUTE_LOST;
      case SqlState.ADMIN_SHUTDOWN -> SHUTDOWN;
      case "XX000" -> INTERNAL_ERROR;
      default -> REFUSED;
    };
  }
}
