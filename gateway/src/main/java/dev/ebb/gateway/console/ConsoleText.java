package dev.ebb.gateway.console;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Takes a query's text apart: into statements at semicolons, and each into words. Quotes and
 * comments are PostgreSQL's ({@code scan.l}); a word may hold {@code @}, {@code .} and {@code -},
 * since names of branches do.
 */
final class ConsoleText {
  private final String text;
  private int at;
  private final List<List<Word>> statements = new ArrayList<>();
  private List<Word> words = new ArrayList<>();

  /**
   * A part of a statement.
   *
   * @param quoted whether it was in quotes, and is not to be taken for a keyword
   */
  record Word(String text, boolean quoted) {
    boolean is(String keyword) {
      return !quoted && text.equalsIgnoreCase(keyword);
    }

    /** As a name: without quotes upper case means lower case. */
    String name() {
      return quoted ? text : text.toLowerCase(Locale.ROOT);
    }
  }

  private ConsoleText(String text) {
    this.text = text;
  }

  /**
   * The statements, without the empty ones.
   *
   * @throws ConsoleException where a quote or a comment does not end
   */
  static List<List<Word>> statements(String text) {
    var parsed = new ConsoleText(text);
    parsed.parse();
    return parsed.statements;
  }

  private void parse() {
    while (at < text.length()) {
      char c = text.charAt(at);
      if (c == ';') {
        endStatement();
        at++;
      } else if (Character.isWhitespace(c)) {
        at++;
      } else if (text.startsWith("--", at)) {
        int end = text.indexOf('\n', at);
        at = end < 0 ? text.length() : end;
      } else if (text.startsWith("/*", at)) {
        at = endOfComment();
      } else if (c == '\'' || c == '"') {
        words.add(new Word(quoted(c), true));
      } else if (isPlain(c)) {
        int start = at;
        while (at < text.length() && isPlain(text.charAt(at))) {
          at++;
        }
        words.add(new Word(text.substring(start, at), false));
      } else {
        words.add(new Word(String.valueOf(c), false));
        at++;
      }
    }
    endStatement();
  }

  private void endStatement() {
    if (!words.isEmpty()) {
      statements.add(words);
      words = new ArrayList<>();
    }
  }

  /** Comments nest. */
  private int endOfComment() {
    int depth = 0;
    int i = at;
    while (i < text.length()) {
      if (text.startsWith("/*", i)) {
        depth++;
        i += 2;
      } else if (text.startsWith("*/", i)) {
        depth--;
        i += 2;
        if (depth == 0) {
          return i;
        }
      } else {
        i++;
      }
    }
    throw unterminated("/* comment");
  }

  private String quoted(char quote) {
    var value = new StringBuilder();
    int i = at + 1;
    while (i < text.length()) {
      char c = text.charAt(i);
      if (c != quote) {
        value.append(c);
        i++;
      } else if (i + 1 < text.length() && text.charAt(i + 1) == quote) {
        value.append(quote);
        i += 2;
      } else {
        at = i + 1;
        return value.toString();
      }
    }
    throw unterminated(quote == '"' ? "quoted identifier" : "quoted string");
  }

  private static ConsoleException unterminated(String what) {
    return new ConsoleException(ConsoleException.SYNTAX_ERROR, "unterminated " + what, "");
  }

  private static boolean isPlain(char c) {
    return Character.isLetterOrDigit(c) || c == '_' || c == '@' || c == '.' || c == '-' || c == '$';
  }
}
