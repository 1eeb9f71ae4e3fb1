package dev.ebb.shared.store;

import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.Names;

/** What a key may look like, the same for every store. */
final class ObjectKeys {
  private static final int MAX_KEY_CHARS = 512;
  private static final int MAX_ELEMENT_CHARS = 200;

  private ObjectKeys() {}

  /** The key itself, or {@code Invalid} where it is none. */
  static String require(String key) {
    if (key.isEmpty() || key.length() > MAX_KEY_CHARS) {
      throw invalid(key);
    }
    for (String element : key.split("/", -1)) {
      // a leading dot is never needed; refusing it rules out "..", and names of our own
      if (element.isEmpty() || element.length() > MAX_ELEMENT_CHARS || element.charAt(0) == '.') {
        throw invalid(key);
      }
      requireCharacters(key, element);
    }
    return key;
  }

  /** A prefix: the beginning of a key, cut anywhere; empty for all. */
  static String requirePrefix(String prefix) {
    if (!prefix.isEmpty()) {
      require(prefix.endsWith("/") ? prefix.substring(0, prefix.length() - 1) : prefix);
    }
    return prefix;
  }

  private static void requireCharacters(String key, String element) {
    for (int i = 0; i < element.length(); i++) {
      char c = element.charAt(i);
      boolean known =
          (c >= 'a' && c <= 'z')
              || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9')
              || c == '.'
              || c == '_'
              || c == '-';
      if (!known) {
        throw invalid(key);
      }
    }
  }

  private static EbbException invalid(String key) {
    return new EbbException.Invalid(
        "not an object key: \""
            + Names.printable(key)
            + "\"; expected /-separated elements of A-Z, a-z, 0-9, '.', '_' and '-', none empty or"
            + " with a leading dot, of at most 512 characters in all");
  }
}
