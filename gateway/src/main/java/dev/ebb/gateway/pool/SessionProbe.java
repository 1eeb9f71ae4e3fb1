package dev.ebb.gateway.pool;

import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * Asks a compute what is left of a client's statements in their session, when a transaction is over
 * that may have changed it.
 */
final class SessionProbe {
  private static final String QUESTION =
      """
      SELECT 's', name, setting FROM pg_catalog.pg_settings \
      WHERE source OPERATOR(pg_catalog.=) 'session' \
      AND name NOT IN ('transaction_isolation', 'transaction_read_only', \
      'transaction_deferrable', 'seed') \
      UNION ALL SELECT 's', 'role', r FROM pg_catalog.current_setting('role') r \
      WHERE r OPERATOR(pg_catalog.<>) 'none' \
      UNION ALL SELECT 'p', 'SET SESSION AUTHORIZATION', '' \
      WHERE session_user OPERATOR(pg_catalog.<>) :user::pg_catalog.name \
      UNION ALL SELECT 'p', 'an advisory lock', '' WHERE EXISTS (SELECT FROM pg_catalog.pg_locks \
      WHERE locktype OPERATOR(pg_catalog.=) 'advisory' \
      AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()) \
      UNION ALL SELECT 'p', 'LISTEN', '' \
      WHERE EXISTS (SELECT FROM pg_catalog.pg_listening_channels()) \
      UNION ALL SELECT 'p', 'a cursor WITH HOLD', '' \
      WHERE EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable) \
      UNION ALL SELECT 'p', 'PREPARE', '' \
      WHERE EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql) \
      UNION ALL SELECT 'p', 'a temporary object', '' \
      WHERE EXISTS (SELECT FROM pg_catalog.pg_class \
      WHERE relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()) \
      UNION ALL SELECT 'n', pg_catalog.count(*)::pg_catalog.text, '' \
      FROM pg_catalog.pg_prepared_statements \
      WHERE NOT from_sql AND pg_catalog.starts_with(name, 'ebb.')\
      """;

  private static final String CUSTOM =
      """
       UNION ALL SELECT 's', n, pg_catalog.current_setting(n, true) \
      FROM pg_catalog.unnest(ARRAY[:names]::pg_catalog.text[]) n \
      WHERE pg_catalog.current_setting(n, true) OPERATOR(pg_catalog.<>) ''\
      """;

  private final Map<String, String> values = new HashMap<>();
  private final Set<String> pinning = new TreeSet<>();
  private int prepared;

  /**
   * The question.
   *
   * @param user as whom the connection was opened
   * @param custom names of settings that no view lists
   */
  static byte[] question(String user, Collection<String> custom) {
    var name = new StringBuilder();
    SessionSettings.quote(name, user);
    String question = QUESTION.replace(":user:", name + ":");
    if (!custom.isEmpty()) {
      var names = new StringBuilder();
      for (String each : custom) {
        names.append(names.isEmpty() ? "" : ",");
        SessionSettings.quote(names, each);
      }
      question += CUSTOM.replace(":names", names);
    }
    return question.getBytes(StandardCharsets.ISO_8859_1);
  }

  /** Takes a row of the answer. */
  void row(List<@Nullable String> columns) {
    String kind = columns.get(0);
    String name = columns.get(1);
    String value = columns.get(2);
    if (kind == null || name == null) {
      return;
    }
    switch (kind) {
      case "s" -> {
        if (value != null) {
          values.put(name, value);
        }
      }
      case "p" -> pinning.add(name);
      case "n" -> prepared = Integer.parseInt(name);
      default -> {}
    }
  }

  /** The settings that differ from those that the connection was opened with. */
  SessionSettings settings() {
    return new SessionSettings(values);
  }

  /** What keeps the session where it is; empty where nothing does. */
  String pinning() {
    return String.join(", ", pinning);
  }

  /** How many statements of Ebb's naming the connection has. */
  int prepared() {
    return prepared;
  }
}
