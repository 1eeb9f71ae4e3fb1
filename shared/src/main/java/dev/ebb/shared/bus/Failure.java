package dev.ebb.shared.bus;

import dev.ebb.shared.error.EbbException;

/**
 * An error as an answer.
 *
 * @param kind which {@link EbbException}
 * @param message what went wrong and what to do; holds no secret
 */
public record Failure(Kind kind, String message) implements BusMessage {
  /** One for each {@link EbbException}. */
  public enum Kind {
    INVALID,
    NOT_FOUND,
    CONFLICT,
    FENCED,
    UNAVAILABLE,
    EXHAUSTED,
    CORRUPT
  }

  /** The failure that tells of {@code error}; anything unforeseen becomes UNAVAILABLE. */
  public static Failure of(Throwable error) {
    String text = error.getMessage() == null ? error.toString() : error.getMessage();
    if (!(error instanceof EbbException known)) {
      return new Failure(Kind.UNAVAILABLE, text);
    }
    Kind kind =
        switch (known) {
          case EbbException.Invalid e -> Kind.INVALID;
          case EbbException.NotFound e -> Kind.NOT_FOUND;
          case EbbException.Conflict e -> Kind.CONFLICT;
          case EbbException.Fenced e -> Kind.FENCED;
          case EbbException.Unavailable e -> Kind.UNAVAILABLE;
          case EbbException.Exhausted e -> Kind.EXHAUSTED;
          case EbbException.Corrupt e -> Kind.CORRUPT;
        };
    return new Failure(kind, text);
  }

  /** The exception that the caller throws. */
  public EbbException toException() {
    return switch (kind) {
      case INVALID -> new EbbException.Invalid(message);
      case NOT_FOUND -> new EbbException.NotFound(message);
      case CONFLICT -> new EbbException.Conflict(message);
      case FENCED -> new EbbException.Fenced(message);
      case UNAVAILABLE -> new EbbException.Unavailable(message);
      case EXHAUSTED -> new EbbException.Exhausted(message);
      case CORRUPT -> new EbbException.Corrupt(message);
    };
  }
}
