package dev.ebb.gateway.pool;

/** What one Parse has made of the unnamed statement; another Parse of the same text is another. */
final class Unnamed {
  /** At a compute after a Parse that may or may not have been heard. */
  static final Unnamed UNCERTAIN = new Unnamed(new byte[0], SqlTraits.UNKNOWN);

  private final byte[] definition;
  private final SqlTraits traits;

  private Unnamed(byte[] definition, SqlTraits traits) {
    this.definition = definition;
    this.traits = traits;
  }

  /** What a Parse says behind the empty name. */
  static Unnamed of(byte[] definition) {
    return new Unnamed(definition, Statements.judge(definition));
  }

  byte[] definition() {
    return definition;
  }

  SqlTraits traits() {
    return traits;
  }
}
