package dev.ebb.shared.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The settings in the startup parameter {@code options}, as PostgreSQL reads them ({@code
 * pg_split_opts} in {@code src/backend/utils/init/postinit.c}, {@code process_postgres_switches} in
 * {@code src/backend/tcop/postgres.c}).
 */
public final class StartupOptions {
  private StartupOptions() {}

  /**
   * Settings by name, the last where one is named twice; what is no setting is left out. Names are
   * in lower case, as PostgreSQL compares them.
   */
  public static Map<String, String> parse(String options) {
    var settings = new LinkedHashMap<String, String>();
    List<String> words = split(options);
    for (int i = 0; i < words.size(); i++) {
      String word = words.get(i);
      if (word.equals("-c") && i + 1 < words.size()) {
        put(settings, words.get(++i));
      } else if (word.startsWith("-c")) {
        put(settings, word.substring(2));
      } else if (word.startsWith("--")) {
        put(settings, word.substring(2));
      }
    }
    return settings;
  }

  private static void put(Map<String, String> settings, String assignment) {
    int equals = assignment.indexOf('=');
    if (equals > 0) {
      settings.put(
          assignment.substring(0, equals).replace('-', '_').toLowerCase(java.util.Locale.ROOT),
          assignment.substring(equals + 1));
    }
  }

  /** Words between white space; a backslash takes away what the character behind it means. */
  private static List<String> split(String options) {
    var words = new ArrayList<String>();
    var word = new StringBuilder();
    boolean inWord = false;
    for (int i = 0; i < options.length(); i++) {
      char c = options.charAt(i);
      if (isSpace(c)) {
        if (inWord) {
          words.add(word.toString());
          word.setLength(0);
          inWord = false;
        }
      } else {
        inWord = true;
        if (c == '\\') {
          i++;
          if (i < options.length()) {
            word.append(options.charAt(i));
          }
        } else {
          word.append(c);
        }
      }
    }
    if (inWord) {
      words.add(word.toString());
    }
    return words;
  }

  private static boolean isSpace(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
  }
}
