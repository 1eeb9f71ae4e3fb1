package dev.ebb.gateway.session;

import dev.ebb.gateway.limit.LimitException;
import dev.ebb.gateway.protocol.ErrorResponse;
import dev.ebb.gateway.protocol.ProtocolViolation;
import dev.ebb.gateway.protocol.SqlState;
import dev.ebb.gateway.route.UnfinishedException;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.scram.ScramViolation;
import java.util.HexFormat;
import java.util.concurrent.ThreadLocalRandom;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Why a client cannot connect, as it will be told. */
final class Refusal extends RuntimeException {
  private static final Logger log = LoggerFactory.getLogger(Refusal.class);
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

  /**
   * The one mapping of errors to SQLSTATE. What a service said goes to the log; the client is told
   * the kind of failure, what to do, and the word under which the log has the rest.
   */
  static Refusal of(String doing, Throwable error) {
    return switch (error) {
      case Refusal refusal -> refusal;
      case ProtocolViolation violation ->
          new Refusal(SqlState.PROTOCOL_VIOLATION, String.valueOf(violation.getMessage()));
      case ScramViolation violation ->
          new Refusal(
              violation.isRefusal() ? SqlState.INVALID_AUTHORIZATION : SqlState.PROTOCOL_VIOLATION,
              String.valueOf(violation.getMessage()));
      case LimitException limit ->
          new Refusal(SqlState.TOO_MANY_CONNECTIONS, String.valueOf(limit.getMessage()));
      case UnfinishedException unfinished ->
          new Refusal(SqlState.CANNOT_CONNECT_NOW, String.valueOf(unfinished.getMessage()));
      default -> {
        String reference = HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextInt());
        tell(doing, error, reference);
        yield new Refusal(
            sqlState(error), doing + ": " + ClientReason.of(error).text() + " [" + reference + "]");
      }
    };
  }

  private static void tell(String doing, Throwable error, String reference) {
    if (error instanceof EbbException && !(error instanceof EbbException.Corrupt)) {
      log.info("[{}] {}: {}", reference, doing, error.getMessage());
    } else {
      log.warn("[{}] {}: {}", reference, doing, error.toString(), error);
    }
  }

  private static String sqlState(Throwable error) {
    return switch (error) {
      case EbbException.Exhausted e -> SqlState.TOO_MANY_CONNECTIONS;
      case EbbException.NotFound e -> SqlState.UNKNOWN_DATABASE;
      default -> SqlState.CANNOT_CONNECT_NOW;
    };
  }
}
