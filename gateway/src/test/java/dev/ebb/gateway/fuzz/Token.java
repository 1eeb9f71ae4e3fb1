package dev.ebb.gateway.fuzz;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A text that only one client ever sends. It carries a check, so that one that was broken on its
 * way is not taken for another's.
 */
record Token(long number) {
  private static final Pattern SHAPE = Pattern.compile("tok_([0-9a-f]{1,12})_([0-9a-f]{16})_");

  private static long check(long number) {
    long mixed = (number + 0x9e3779b97f4a7c15L) * 0xbf58476d1ce4e5b9L;
    mixed = (mixed ^ mixed >>> 29) * 0x94d049bb133111ebL;
    return mixed ^ mixed >>> 32;
  }

  @Override
  public String toString() {
    return "tok_%x_%016x_".formatted(number, check(number));
  }

  /** The first token in a text that is another one. */
  Optional<Token> foreignIn(String text) {
    Matcher found = SHAPE.matcher(text);
    while (found.find()) {
      var token = new Token(Long.parseLong(found.group(1), 16));
      if (token.toString().equals(found.group()) && !token.equals(this)) {
        return Optional.of(token);
      }
    }
    return Optional.empty();
  }
}
