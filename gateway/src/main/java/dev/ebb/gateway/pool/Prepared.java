package dev.ebb.gateway.pool;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A statement that clients have prepared: what their Parse messages said behind the name. Clients
 * that said the same share one, so that a compute's connection has it once. Confined to one event
 * loop.
 */
final class Prepared {
  /** Names that no client's statement is likely to have; none begins so by chance. */
  static final String NAME_PREFIX = "ebb.";

  /** The text, its zero, the number of parameter types and the types. */
  private final byte[] definition;

  private final byte[] name;
  private final SqlTraits traits;
  private final Scope scope;

  /**
   * How often the compute refused a plan of it (SQLSTATE 0A000, "cached plan must not change result
   * type"): connections that have an older one prepare it again.
   */
  private int epoch;

  private boolean proven;
  private int users;

  /**
   * What decides, beside the text, which tables a statement means.
   *
   * @param path the client's search_path and role, where they are not those of the connection
   */
  record Scope(String path) {
    static final Scope DEFAULT = new Scope("");
  }

  /** What makes two statements the same. */
  static final class Key {
    private final byte[] definition;
    private final Scope scope;
    private final int hash;

    Key(byte[] definition, Scope scope) {
      this.definition = definition;
      this.scope = scope;
      this.hash = Arrays.hashCode(definition) * 31 + scope.hashCode();
    }

    @Override
    public boolean equals(Object other) {
      return other instanceof Key key
          && key.hash == hash
          && key.scope.equals(scope)
          && Arrays.equals(key.definition, definition);
    }

    @Override
    public int hashCode() {
      return hash;
    }
  }

  Prepared(long number, byte[] definition, Scope scope, SqlTraits traits) {
    this.definition = definition;
    this.scope = scope;
    this.name = (NAME_PREFIX + number).getBytes(StandardCharsets.US_ASCII);
    this.traits = traits;
  }

  byte[] definition() {
    return definition;
  }

  /** Its name at computes, without the zero. */
  byte[] name() {
    return name;
  }

  SqlTraits traits() {
    return traits;
  }

  Key key() {
    return new Key(definition, scope);
  }

  int epoch() {
    return epoch;
  }

  void outdated() {
    epoch++;
  }

  /** A compute has accepted it. */
  void prove() {
    proven = true;
  }

  /** Whether a compute has ever accepted it. */
  boolean isProven() {
    return proven;
  }

  void use() {
    users++;
  }

  /** Whether nobody uses it any more. */
  boolean leave() {
    return --users == 0;
  }
}
