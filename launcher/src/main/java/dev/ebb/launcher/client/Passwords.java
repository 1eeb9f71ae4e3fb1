package dev.ebb.launcher.client;

import java.security.SecureRandom;

/** Random secrets that can be pasted into URLs and shells. */
public final class Passwords {
  private static final char[] ALPHABET =
      "0123456789ABCDEFGHJKMNPQRSTVWXYZabcdefghjkmnpqrstvwxyz".toCharArray();
  private static final int LENGTH = 32;

  private Passwords() {}

  /** 184 random bits. */
  public static String random() {
    var random = new SecureRandom();
    var chars = new char[LENGTH];
    for (int i = 0; i < LENGTH; i++) {
      chars[i] = ALPHABET[random.nextInt(ALPHABET.length)];
    }
    return new String(chars);
  }
}
