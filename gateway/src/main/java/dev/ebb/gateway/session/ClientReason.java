package dev.ebb.gateway.session;

import dev.ebb.shared.error.EbbException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a client may know of a failure inside: its kind and what to do. Nothing of a service's own
 * words, which name files, addresses and processes of the servers; but for the key of a damaged
 * object, which the operator will ask for.
 */
enum ClientReason {
  CORRUPT("stored data is corrupt: only the operator can repair it, whose log has more"),
  DISK_FULL(
      "the server's disk is full (No space left on device): connect again when there is room"),
  UNAVAILABLE(
      "a service that it needs is unavailable: connect again in a moment; if it stays so, the"
          + " operator's log has the reason"),
  BUSY("it is just being started, stopped or moved: connect again"),
  NO_ROOM("there is no room for it now: connect again later, or suspend what is not in use"),
  GONE("it does not exist"),
  REFUSED("Ebb refuses to start it: the operator's log has the reason"),
  INTERNAL("internal error: the operator's log has more");

  /** What a local object store says names the key behind the store's directory. */
  private static final Pattern KEY =
      Pattern.compile(
          "\\b(?:branches|catalog|templates?)/[A-Za-z0-9_-][A-Za-z0-9._/-]*[A-Za-z0-9]");

  private static final String NO_SPACE = "No space left on device";

  private final String text;

  ClientReason(String text) {
    this.text = text;
  }

  /** A reason with what it tells. */
  record Told(ClientReason reason, String text) {}

  static Told of(Throwable error) {
    ClientReason reason = kind(error);
    if (reason == CORRUPT) {
      Matcher key = KEY.matcher(String.valueOf(error.getMessage()));
      if (key.find()) {
        return new Told(
            reason, "stored data is corrupt: " + key.group() + ": only the operator can repair it");
      }
    }
    return new Told(reason, reason.text);
  }

  private static ClientReason kind(Throwable error) {
    if (!(error instanceof EbbException known)) {
      return INTERNAL;
    }
    return switch (known) {
      case EbbException.Corrupt e -> CORRUPT;
      case EbbException.Unavailable e ->
          String.valueOf(e.getMessage()).contains(NO_SPACE) ? DISK_FULL : UNAVAILABLE;
      case EbbException.Conflict e -> BUSY;
      case EbbException.Fenced e -> BUSY;
      case EbbException.Exhausted e -> NO_ROOM;
      case EbbException.NotFound e -> GONE;
      case EbbException.Invalid e -> REFUSED;
    };
  }
}
