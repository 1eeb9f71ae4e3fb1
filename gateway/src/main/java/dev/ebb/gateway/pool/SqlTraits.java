package dev.ebb.gateway.pool;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/**
 * What a statement may leave behind in its session, judged by its words. Errs on the side of "may":
 * that costs a look at the session when its transaction is over, and nothing else.
 *
 * <p>The words are those of PostgreSQL's scanner (src/backend/parser/scan.l): comments, quoted
 * identifiers, strings of all kinds are told apart, in any encoding that a server can have.
 *
 * @param mayChangeSession whether the session may be another one afterwards
 * @param customSettings the names of settings with a dot in them that are set: no view of
 *     PostgreSQL's lists these
 * @param hidesSettings whether a setting is changed whose name is not in the text
 * @param deallocates the prepared statement that the text deallocates, and does nothing else
 */
record SqlTraits(
    boolean mayChangeSession,
    List<String> customSettings,
    boolean hidesSettings,
    @Nullable String deallocates) {

  /** Leaves nothing behind. */
  static final SqlTraits QUIET = new SqlTraits(false, List.of(), false, null);

  /** Too long to be read. */
  static final SqlTraits UNKNOWN = new SqlTraits(true, List.of(), false, null);

  /** Begin statements that change the session they run in. */
  private static final Set<String> CHANGING =
      Set.of(
          "set",
          "reset",
          "discard",
          "listen",
          "unlisten",
          "prepare",
          "execute",
          "deallocate",
          "declare",
          "load",
          "do",
          "call",
          "explain");

  /** What {@code SET} may go on with and be over with the transaction. */
  private static final Set<String> OF_TRANSACTION = Set.of("local", "transaction", "constraints");

  /** Objects that live as long as the session. */
  private static final Set<String> TEMPORARY = Set.of("temp", "temporary", "pg_temp");

  /** A name behind one of these, with a parenthesis behind it, is no function's. */
  private static final Set<String> BEFORE_LISTS =
      Set.of("into", "table", "as", "references", "view", "exists", "with", "recursive", "copy");

  private static final Set<String> QUIET_FUNCTIONS = quietFunctions();

  private static Set<String> quietFunctions() {
    try (InputStream names =
        Objects.requireNonNull(
            SqlTraits.class.getResourceAsStream("quiet-functions.txt"),
            "quiet-functions.txt is missing from the class path")) {
      return Set.copyOf(
          new String(names.readAllBytes(), StandardCharsets.US_ASCII).lines().toList());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Judges a text of one or more statements, whose bytes are as on the wire, without the zero. */
  static SqlTraits of(byte[] sql) {
    return new Reader(sql).read();
  }

  /** The kinds of words that matter. */
  private enum Kind {
    /** An identifier or keyword without quotes, in small letters. */
    WORD,
    /** An identifier in double quotes, without them. */
    QUOTED,
    /** The text of a string without escapes. */
    STRING,
    /** Any other sign. */
    SIGN,
    END
  }

  /** Walks over the words of a text. */
  private static final class Reader {
    private final byte[] sql;
    private int at;
    private Kind kind = Kind.SIGN;
    private String text = "";
    private final Set<String> custom = new HashSet<>();
    private boolean may;
    private boolean hides;

    /** The word in front of the one at hand, and the one in front of that and a dot. */
    private String before = "";

    private String beforeQualifier = "";
    private boolean qualified;

    Reader(byte[] sql) {
      this.sql = sql;
    }

    SqlTraits read() {
      String deallocated = deallocated();
      at = 0;
      kind = Kind.SIGN;
      boolean starts = true;
      next();
      while (kind != Kind.END) {
        Kind was = kind;
        String word = text;
        next();
        if (was == Kind.SIGN) {
          starts |= word.equals(";");
          qualified = word.equals(".");
          before = qualified ? before : "";
        } else {
          if (starts && was == Kind.WORD && CHANGING.contains(word)) {
            statement(word);
          }
          starts = false;
          if (was != Kind.STRING) {
            word(was, word);
          }
        }
      }
      return may || deallocated != null
          ? new SqlTraits(may, List.copyOf(custom), hides, deallocated)
          : QUIET;
    }

    /** A statement begins with a word that tells of the session; the next one was read. */
    private void statement(String word) {
      if (!word.equals("set")) {
        may = true;
      } else if (kind != Kind.WORD || !OF_TRANSACTION.contains(text)) {
        may = true;
        set();
      }
    }

    /** An identifier was read, and what is behind it. */
    private void word(Kind was, String word) {
      String inFront = qualified ? beforeQualifier : before;
      String qualifier = qualified ? before : "pg_catalog";
      beforeQualifier = inFront;
      before = was == Kind.WORD ? word : "";
      qualified = false;
      if (was == Kind.WORD && TEMPORARY.contains(word)) {
        may = true;
      }
      if (word.startsWith("pg_temp")) {
        may = true;
      }
      if (kind != Kind.SIGN || !text.equals("(")) {
        return;
      }
      boolean quiet = qualifier.equals("pg_catalog") && QUIET_FUNCTIONS.contains(word);
      if (!quiet && !BEFORE_LISTS.contains(inFront)) {
        may = true;
        if (word.equalsIgnoreCase("set_config")) {
          setConfig();
        }
      }
    }

    /** Behind {@code SET}: its name, where no view lists it. */
    private void set() {
      if (kind == Kind.WORD && text.equals("session")) {
        next();
      }
      var name = new StringBuilder();
      while (kind == Kind.WORD || kind == Kind.QUOTED || (text.equals(".") && kind == Kind.SIGN)) {
        if (kind == Kind.WORD && (text.equals("to") || text.equals("time"))) {
          break;
        }
        name.append(text);
        next();
      }
      if (name.indexOf(".") >= 0) {
        custom.add(name.toString());
      }
    }

    /** Behind {@code set_config}, at its parenthesis. */
    private void setConfig() {
      next();
      String name = kind == Kind.STRING ? text : null;
      if (name != null) {
        next();
      }
      if (name == null || kind != Kind.SIGN || !text.equals(",")) {
        hides = true;
      } else if (name.indexOf('.') >= 0) {
        custom.add(name);
      }
    }

    /** The name in {@code DEALLOCATE [PREPARE] name}, where that is all there is. */
    private @Nullable String deallocated() {
      next();
      if (kind != Kind.WORD || !text.equals("deallocate")) {
        return null;
      }
      next();
      if (kind == Kind.WORD && text.equals("prepare")) {
        next();
      }
      boolean isName = kind == Kind.QUOTED || (kind == Kind.WORD && !text.equals("all"));
      String name = text;
      next();
      if (kind == Kind.SIGN && text.equals(";")) {
        next();
      }
      return isName && kind == Kind.END ? name : null;
    }

    private void next() {
      skipSpace();
      if (at >= sql.length) {
        kind = Kind.END;
        text = "";
        return;
      }
      int c = sql[at];
      if (c == '\'') {
        string(at, false);
      } else if (isEscaping(c) && at + 1 < sql.length && sql[at + 1] == '\'') {
        at++;
        string(at, c == 'e' || c == 'E');
      } else if (isUnicode(c) && at + 2 < sql.length && sql[at + 1] == '&') {
        at += 2;
        if (sql[at] == '\'') {
          string(at, false);
          kind = Kind.SIGN; // its escapes are not resolved here
        } else if (sql[at] == '"') {
          quoted();
        } else {
          sign('&');
        }
      } else if (c == '"') {
        quoted();
      } else if (c == '$' && dollarQuoted()) {
        kind = Kind.SIGN;
        text = "$";
      } else if (isWordStart(c)) {
        int start = at;
        at = skip(Reader::isWordPart);
        kind = Kind.WORD;
        text = lower(start, at);
      } else {
        at++;
        sign(c);
      }
    }

    private void sign(int c) {
      kind = Kind.SIGN;
      text = String.valueOf((char) (c & 0xFF));
    }

    private static boolean isEscaping(int c) {
      return c == 'e' || c == 'E' || c == 'b' || c == 'B' || c == 'x' || c == 'X' || c == 'n'
          || c == 'N';
    }

    private static boolean isUnicode(int c) {
      return c == 'u' || c == 'U';
    }

    private static boolean isWordStart(int c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c < 0;
    }

    private static boolean isWordPart(int c) {
      return isWordStart(c) || (c >= '0' && c <= '9') || c == '$';
    }

    private int skip(IntPredicate while_) {
      int end = at;
      while (end < sql.length && while_.test(sql[end])) {
        end++;
      }
      return end;
    }

    private String lower(int start, int end) {
      var word = new byte[end - start];
      for (int i = start; i < end; i++) {
        byte c = sql[i];
        word[i - start] = c >= 'A' && c <= 'Z' ? (byte) (c + 32) : c;
      }
      return new String(word, StandardCharsets.ISO_8859_1);
    }

    /** A string that begins at the quote at {@code start}. */
    private void string(int start, boolean escapes) {
      at = start + 1;
      boolean plain = !escapes;
      int begin = at;
      while (at < sql.length) {
        byte c = sql[at];
        if (c == '\\') {
          // Without standard_conforming_strings a plain string has escapes too: which of the two
          // it is decides where it ends, so all behind it is uncertain.
          plain = false;
          if (escapes) {
            at++;
          } else {
            may |= at + 1 < sql.length && sql[at + 1] == '\'';
          }
        } else if (c == '\'') {
          if (at + 1 < sql.length && sql[at + 1] == '\'') {
            plain = false;
            at++;
          } else {
            break;
          }
        }
        at++;
      }
      int end = Math.min(at, sql.length);
      kind = plain ? Kind.STRING : Kind.SIGN;
      text = plain ? new String(sql, begin, end - begin, StandardCharsets.ISO_8859_1) : "'";
      at = Math.min(sql.length, end + 1);
    }

    private void quoted() {
      int begin = ++at;
      while (at < sql.length && (sql[at] != '"' || (at + 1 < sql.length && sql[at + 1] == '"'))) {
        at += sql[at] == '"' ? 2 : 1;
      }
      int end = Math.min(at, sql.length);
      kind = Kind.QUOTED;
      text = new String(sql, begin, end - begin, StandardCharsets.ISO_8859_1).replace("\"\"", "\"");
      at = Math.min(sql.length, end + 1);
    }

    /** Whether a string in dollar quotes begins here, which is walked over then. */
    private boolean dollarQuoted() {
      int tagEnd = at + 1;
      while (tagEnd < sql.length && sql[tagEnd] != '$' && isWordPart(sql[tagEnd])) {
        tagEnd++;
      }
      boolean isTag =
          tagEnd < sql.length
              && sql[tagEnd] == '$'
              && (tagEnd == at + 1 || isWordStart(sql[at + 1]));
      if (!isTag) {
        return false;
      }
      int length = tagEnd + 1 - at;
      for (int end = tagEnd + 1; end + length <= sql.length; end++) {
        if (Arrays.equals(sql, at, at + length, sql, end, end + length)) {
          at = end + length;
          return true;
        }
      }
      at = sql.length;
      return true;
    }

    private void skipSpace() {
      while (at < sql.length) {
        byte c = sql[at];
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
          at++;
        } else if (c == '-' && at + 1 < sql.length && sql[at + 1] == '-') {
          at = skip(sign -> sign != '\n' && sign != '\r');
        } else if (c == '/' && at + 1 < sql.length && sql[at + 1] == '*') {
          skipComment();
        } else {
          return;
        }
      }
    }

    private void skipComment() {
      int depth = 1;
      at += 2;
      while (at < sql.length && depth > 0) {
        boolean two = at + 1 < sql.length;
        if (two && sql[at] == '*' && sql[at + 1] == '/') {
          depth--;
          at += 2;
        } else if (two && sql[at] == '/' && sql[at + 1] == '*') {
          depth++;
          at += 2;
        } else {
          at++;
        }
      }
    }
  }
}
