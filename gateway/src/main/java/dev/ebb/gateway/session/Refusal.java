package dev.ebb.gateway.session;

import dev.ebb.gateway.protocol.ErrorResponse;
import dev.ebb.gateway.protocol.ProtocolViolation;
import dev.ebb.gateway.protocol.SqlState;
import dev.ebb.shared.error.EbbException;

/** Why a client cannot connect, as it will be told. */
final class Refusal extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final transient ErrorResponse error;

  Refusal(ErrorResponse error) {
    super(error.message(), null, false, false);
    this.error = error;
  }

  Refusal(String sqlState, String message) {
    this(ErrorResponse.fatal(sqlState, message));
  }

  ErrorResponse error() {
    return error;
  }

  /** The one mapping of errors to SQLSTATE. */
  static Refusal of(String doing, Throwable error) {
    String message = doing + ": " + error.getMessage();
    return switch (error) {
      case Refusal refusal -> refusal;
      case ProtocolViolation violation ->
          new Refusal(SqlState.PROTOCOL_VIOLATION, String.valueOf(violation.getMessage()));
      case EbbException known ->
          switch (known) {
            case EbbException.Exhausted e -> new Refusal(SqlState.TOO_MANY_CONNECTIONS, message);
            case EbbException.NotFound e -> new Refusal(SqlState.UNKNOWN_DATABASE, message);
            case EbbException.Invalid e -> new Refusal(SqlState.CANNOT_CONNECT_NOW, message);
            case EbbException.Conflict e -> new Refusal(SqlState.CANNOT_CONNECT_NOW, message);
            case EbbException.Fenced e -> new Refusal(SqlState.CANNOT_CONNECT_NOW, message);
            case EbbException.Unavailable e -> new Refusal(SqlState.CANNOT_CONNECT_NOW, message);
            case EbbException.Corrupt e -> new Refusal(SqlState.CANNOT_CONNECT_NOW, message);
          };
      default -> new Refusal(SqlState.CANNOT_CONNECT_NOW, message);
    };
  }
}
