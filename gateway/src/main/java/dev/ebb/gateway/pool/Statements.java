package dev.ebb.gateway.pool;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/** The statements that the clients of one pool have prepared. Confined to one event loop. */
final class Statements {
  /** Longer texts are not judged by their words. */
  static final int MAX_JUDGED_BYTES = 64 << 10;

  private final Map<Prepared.Key, Prepared> all = new HashMap<>();
  private long made;

  /**
   * The one for a Parse message; {@link #release} must follow.
   *
   * @param definition all of the message behind the statement's name
   */
  Prepared acquire(byte[] definition, Prepared.Scope scope) {
    Prepared statement =
        all.computeIfAbsent(
            new Prepared.Key(definition, scope),
            key -> new Prepared(++made, definition, scope, judge(definition)));
    statement.use();
    return statement;
  }

  /** Whether a compute has accepted such a Parse message. */
  boolean isProven(byte[] definition, Prepared.Scope scope) {
    Prepared statement = all.get(new Prepared.Key(definition, scope));
    return statement != null && statement.isProven();
  }

  /** Somebody else uses it; {@link #release} must follow. */
  void use(Prepared statement) {
    statement.use();
  }

  void release(Prepared statement) {
    if (statement.leave()) {
      all.remove(statement.key(), statement);
    }
  }

  /** Judges the text that {@code definition} begins with. */
  static SqlTraits judge(byte[] definition) {
    int length = 0;
    while (length < definition.length && definition[length] != 0) {
      length++;
    }
    return length > MAX_JUDGED_BYTES
        ? SqlTraits.UNKNOWN
        : SqlTraits.of(Arrays.copyOf(definition, length));
  }

  /** Bytes as a text that has a character for each, so that no encoding loses any. */
  static String text(byte[] bytes) {
    return new String(bytes, StandardCharsets.ISO_8859_1);
  }
}
