package dev.ebb.shared.model;

import java.security.SecureRandom;
import java.util.regex.Pattern;

/** The rules that names and ids follow. */
public final class Names {
  private static final Pattern ID = Pattern.compile("[a-z0-9]{1,40}");
  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9_-]{0,62}");
  private static final SecureRandom RANDOM = new SecureRandom();
  private static final char[] ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz".toCharArray();

  private Names() {}

  static void requireId(String what, String value) {
    if (!ID.matcher(value).matches()) {
      throw new IllegalArgumentException(
          "not a " + what + ": \"" + printable(value) + "\"; expected [a-z0-9]{1,40}");
    }
  }

  /** Whether a database or branch may be called so. */
  public static boolean isName(String value) {
    return NAME.matcher(value).matches();
  }

  /** Checks a database or branch name: a lower-case letter, then letters, digits, - and _. */
  public static String requireName(String what, String value) {
    if (!NAME.matcher(value).matches()) {
      throw new IllegalArgumentException(
          "invalid "
              + what
              + " name \""
              + printable(value)
              + "\": use a lower-case letter followed by at most 62 of a-z, 0-9, - and _");
    }
    return value;
  }

  /** 100 random bits in 20 characters. */
  static String randomId() {
    var chars = new char[20];
    for (int i = 0; i < chars.length; i++) {
      chars[i] = ALPHABET[RANDOM.nextInt(ALPHABET.length)];
    }
    return new String(chars);
  }

  /** The text with control characters replaced and cut at 80 characters, for messages and logs. */
  public static String printable(String text) {
    String cut = text.length() > 80 ? text.substring(0, 80) + "…" : text;
    return cut.replaceAll("\\p{Cntrl}", "?");
  }
}
