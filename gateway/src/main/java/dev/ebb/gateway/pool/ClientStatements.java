package dev.ebb.gateway.pool;

import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The statements that one client has prepared, by the names that it gave them. A name is taken or
 * given up as soon as the client says so, and that is undone where the compute does not do it.
 * Confined to one event loop.
 */
final class ClientStatements {
  private static final int HEADER_BYTES = 5;

  /** In front of names of the client's that look like the gateway's. */
  private static final String UNKNOWN_PREFIX = Prepared.NAME_PREFIX + "no.";

  private static final Pattern OWN_NAME = Pattern.compile("\"ebb\\.(\\d+|no\\.[^\"]*)\"");

  private final Statements shared;
  private final Map<String, Prepared> byName = new HashMap<>();
  private @Nullable Unnamed unnamed;

  /** What a {@code DEALLOCATE} that is on its way names. */
  private @Nullable String deallocating;

  ClientStatements(Statements shared) {
    this.shared = shared;
  }

  @Nullable Prepared find(String name) {
    return byName.get(name);
  }

  /** Gives a name to what a Parse message defines. */
  Prepared prepare(String name, byte[] definition, Prepared.Scope scope) {
    Prepared statement = shared.acquire(definition, scope);
    byName.put(name, statement);
    return statement;
  }

  /** Whether any compute has accepted such a Parse message, and the name is free. */
  boolean isProven(String name, byte[] definition, Prepared.Scope scope) {
    return !name.isEmpty() && !byName.containsKey(name) && shared.isProven(definition, scope);
  }

  /** Gives up a name; what had it is to be released, or given back by {@link #closeFailed}. */
  @Nullable Prepared take(String name) {
    return byName.remove(name);
  }

  void drop(String name) {
    Prepared statement = byName.remove(name);
    if (statement != null) {
      shared.release(statement);
    }
  }

  /** A Parse will not be done. */
  void parseFailed(String name, Prepared statement) {
    if (byName.remove(name, statement)) {
      shared.release(statement);
    }
  }

  /** A Close will not be done. */
  void closeFailed(String name, Prepared statement) {
    if (byName.putIfAbsent(name, statement) != null) {
      shared.release(statement);
    }
  }

  @Nullable Unnamed unnamed() {
    return unnamed;
  }

  /**
   * The unnamed statement is another one, or as before where what ended it will not be done.
   *
   * @return what it was
   */
  @Nullable Unnamed unnamedIs(@Nullable Unnamed statement) {
    Unnamed before = unnamed;
    unnamed = statement;
    return before;
  }

  /** A {@code DEALLOCATE} of this name, and of nothing else, is on its way. */
  void deallocates(String name) {
    deallocating = name;
  }

  /** It was done. */
  void deallocatedOne() {
    String name = deallocating;
    if (name != null) {
      drop(name);
    }
    deallocating = null;
  }

  /** Nothing is on its way. */
  void nothingDeallocates() {
    deallocating = null;
  }

  /** {@code DEALLOCATE ALL} or {@code DISCARD ALL}, or the end. */
  void clear() {
    byName.values().forEach(shared::release);
    byName.clear();
    unnamed = null;
  }

  /** The name by which a compute will not know a statement that the client does not have. */
  static byte[] unknown(String name) {
    return (name.startsWith(Prepared.NAME_PREFIX) ? UNKNOWN_PREFIX + name : name)
        .getBytes(StandardCharsets.ISO_8859_1);
  }

  /**
   * An error, with the client's names in the place of the gateway's.
   *
   * @param meant the statement that the message which failed was about; null: of none by name
   */
  byte[] inItsNames(byte[] error, @Nullable String meant) {
    String text = Statements.text(error);
    if (!OWN_NAME.matcher(text).find()) {
      return error;
    }
    String named =
        OWN_NAME
            .matcher(text.substring(HEADER_BYTES))
            .replaceAll(found -> Matcher.quoteReplacement(nameOf(found.group(), meant)));
    byte[] body = named.getBytes(StandardCharsets.ISO_8859_1);
    return Unpooled.buffer(body.length + HEADER_BYTES)
        .writeByte('E')
        .writeInt(body.length + 4)
        .writeBytes(body)
        .array();
  }

  private String nameOf(String quoted, @Nullable String meant) {
    if (meant != null) {
      return "\"" + meant + "\"";
    }
    String own = quoted.substring(1, quoted.length() - 1);
    if (own.startsWith(UNKNOWN_PREFIX)) {
      return "\"" + own.substring(UNKNOWN_PREFIX.length()) + "\"";
    }
    for (var each : byName.entrySet()) {
      if (Statements.text(each.getValue().name()).equals(own)) {
        return "\"" + each.getKey() + "\"";
      }
    }
    return quoted;
  }

  /** How many the client has under a name. */
  int count() {
    return byName.size();
  }
}
