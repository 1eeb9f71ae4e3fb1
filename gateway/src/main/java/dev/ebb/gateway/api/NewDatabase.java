package dev.ebb.gateway.api;

import dev.ebb.shared.model.Names;
import dev.ebb.shared.model.PostgresMajor;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.json.DecodeException;
import io.vertx.core.json.JsonObject;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Says in words what is wrong with a request that the contract's validator refused by its schema.
 */
final class NewDatabase {
  private static final int MAX_PASSWORD_CHARACTERS = 1024;

  private static final int MAX_POSTGRES_VERSION = 1000;
  private static final String POSTGRES_VERSION = "postgresVersion";

  private NewDatabase() {}

  /** The major version that is asked for, or null; of a body that the validator let through. */
  static @Nullable PostgresMajor postgres(JsonObject body) {
    Integer major = body.getInteger(POSTGRES_VERSION);
    return major == null ? null : new PostgresMajor(major);
  }

  /** Empty where the validator has to be quoted. */
  static Optional<Problem> problem(@Nullable Buffer body) {
    try {
      return body == null
          ? Optional.empty()
          : reason(new JsonObject(body)).map(reason -> new Problem(400, "Bad request", reason));
    } catch (DecodeException e) {
      return Optional.empty();
    }
  }

  private static Optional<String> reason(JsonObject body) {
    for (String property : new String[] {"name", "owner", "password"}) {
      if (!(body.getValue(property) instanceof String)) {
        return Optional.of("the property \"" + property + "\" is missing or no text");
      }
    }
    try {
      Names.requireName("database", body.getString("name"));
      Names.requireName("owner", body.getString("owner"));
    } catch (IllegalArgumentException e) {
      return Optional.ofNullable(e.getMessage());
    }
    Object version = body.getValue(POSTGRES_VERSION);
    if (version != null
        && !(version instanceof Integer major && major >= 1 && major <= MAX_POSTGRES_VERSION)) {
      return Optional.of(
          "the property \""
              + POSTGRES_VERSION
              + "\" is no major version of PostgreSQL, such as 18");
    }
    int characters = body.getString("password").length();
    return characters > 0 && characters <= MAX_PASSWORD_CHARACTERS
        ? Optional.empty()
        : Optional.of("the password has 1 to " + MAX_PASSWORD_CHARACTERS + " characters");
  }
}
