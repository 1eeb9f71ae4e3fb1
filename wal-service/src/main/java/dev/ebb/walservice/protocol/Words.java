package dev.ebb.walservice.protocol;

import dev.ebb.shared.model.Names;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The words of a replication command; see {@code src/backend/replication/repl_scanner.l}. */
final class Words {
  private static final Pattern TOKEN =
      Pattern.compile(
          "(?<lsn>[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}(?![0-9A-Za-z/]))"
              + "|(?<number>[0-9]++(?![A-Za-z_/]))"
              + "|(?<word>[A-Za-z_\\x80-\\uFFFF][A-Za-z0-9_$\\x80-\\uFFFF]*+)"
              + "|(?<sign>[,;().*])");

  enum Kind {
    WORD,
    QUOTED,
    STRING,
    NUMBER,
    LSN,
    SIGN,
    END
  }

  record Word(Kind kind, String text) {
    boolean isWord(String word) {
      return kind == Kind.WORD && text.equals(word);
    }

    boolean isSign(char sign) {
      return kind == Kind.SIGN && text.charAt(0) == sign;
    }
  }

  private final String text;
  private final Matcher matcher;
  private int at;

  Words(String text) {
    this.text = text;
    this.matcher = TOKEN.matcher(text);
  }

  /** Skips the keyword where it comes next; whether it did. */
  boolean skipWord(String keyword) {
    return skip(next -> next.isWord(keyword));
  }

  boolean skipSign(char sign) {
    return skip(next -> next.isSign(sign));
  }

  private boolean skip(java.util.function.Predicate<Word> wanted) {
    int before = at;
    if (wanted.test(next())) {
      return true;
    }
    at = before;
    return false;
  }

  Word next() {
    while (at < text.length() && isBlank(text.charAt(at))) {
      at++;
    }
    if (at == text.length()) {
      return new Word(Kind.END, "");
    }
    char c = text.charAt(at);
    if (c == '"' || c == '\'') {
      return quoted(c);
    }
    if (!matcher.region(at, text.length()).lookingAt()) {
      throw SqlError.error(
          SqlError.SYNTAX_ERROR,
          "syntax error: unexpected character \"" + Names.printable(String.valueOf(c)) + "\"");
    }
    at = matcher.end();
    String found = matcher.group();
    if (matcher.group("lsn") != null) {
      return new Word(Kind.LSN, found);
    }
    if (matcher.group("number") != null) {
      return new Word(Kind.NUMBER, found);
    }
    return new Word(matcher.group("word") != null ? Kind.WORD : Kind.SIGN, found);
  }

  private static boolean isBlank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
  }

  /** What is between quotes; two of them stand for one. */
  private Word quoted(char quote) {
    var content = new StringBuilder();
    int from = at + 1;
    while (true) {
      int end = text.indexOf(quote, from);
      if (end < 0) {
        throw SqlError.error(SqlError.SYNTAX_ERROR, "unterminated quoted string");
      }
      content.append(text, from, end);
      if (end + 1 < text.length() && text.charAt(end + 1) == quote) {
        content.append(quote);
        from = end + 2;
      } else {
        at = end + 1;
        return new Word(quote == '"' ? Kind.QUOTED : Kind.STRING, content.toString());
      }
    }
  }
}
