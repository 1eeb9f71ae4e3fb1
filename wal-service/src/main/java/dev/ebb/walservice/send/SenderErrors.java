package dev.ebb.walservice.send;

import dev.ebb.shared.error.EbbException;
import dev.ebb.walservice.protocol.SqlError;

/** The one mapping of errors to what the client is told. */
final class SenderErrors {
  private SenderErrors() {}

  static SqlError of(EbbException error, boolean fatal) {
    String state =
        switch (error) {
          case EbbException.NotFound e -> SqlError.INVALID_CATALOG_NAME;
          case EbbException.Invalid e -> SqlError.PROTOCOL_VIOLATION;
          case EbbException.Conflict e -> SqlError.NOT_IN_PREREQUISITE_STATE;
          case EbbException.Exhausted e -> SqlError.TOO_MANY_CONNECTIONS;
          case EbbException.Fenced e -> SqlError.CANNOT_CONNECT_NOW;
          case EbbException.Unavailable e -> SqlError.CANNOT_CONNECT_NOW;
          case EbbException.Corrupt e -> SqlError.DATA_CORRUPTED;
        };
    String message = String.valueOf(error.getMessage());
    return fatal ? SqlError.fatal(state, message) : SqlError.error(state, message);
  }
}
