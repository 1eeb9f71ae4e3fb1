package dev.ebb.gateway.session;

import dev.ebb.gateway.protocol.ErrorResponse;
import dev.ebb.gateway.protocol.SqlState;
import dev.ebb.gateway.protocol.StartupMessage;
import dev.ebb.shared.model.StartupOptions;
import java.util.Locale;

/** Which of a branch's computes a client wants: the setting {@code ebb.route} of its startup. */
enum Route {
  /** The one that writes: what those get who ask for nothing. */
  PRIMARY,
  /** Any of those that only read. */
  REPLICA;

  private static final String SETTING = "ebb.route";

  /** Of a startup packet; {@link Refusal} where it asks for something that there is not. */
  static Route of(StartupMessage message) {
    // As PostgreSQL does it: a parameter of its own comes behind those in the options.
    String value = message.parameters().get(SETTING);
    if (value == null) {
      value = StartupOptions.parse(message.parameters().getOrDefault("options", "")).get(SETTING);
    }
    if (value == null) {
      return PRIMARY;
    }
    return switch (value.toLowerCase(Locale.ROOT)) {
      case "primary" -> PRIMARY;
      case "replica" -> REPLICA;
      default ->
          throw new Refusal(
              ErrorResponse.fatal(
                      SqlState.INVALID_PARAMETER_VALUE,
                      "invalid value for parameter \""
                          + SETTING
                          + "\": \""
                          + Wish.shown(value)
                          + "\"")
                  .withHint("Available values: primary, replica."));
    };
  }
}
