package dev.ebb.gateway.pool;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The settings that a session has changed since its connection to the compute was opened.
 *
 * @param values by name; texts have a character for each byte of the client's encoding
 */
record SessionSettings(Map<String, String> values) {
  /** As the connection was opened. */
  static final SessionSettings OPENED = new SessionSettings(Map.of());

  static final String ROLE = "role";
  static final String SEARCH_PATH = "search_path";
  private static final String ENCODING = "client_encoding";

  SessionSettings {
    values = Map.copyOf(values);
  }

  static SessionSettings of(String name, String value) {
    return new SessionSettings(Map.of(name, value));
  }

  /** With what {@code others} has beside. */
  SessionSettings orElse(SessionSettings others) {
    if (values.keySet().containsAll(others.values.keySet())) {
      return this;
    }
    var all = new TreeMap<>(others.values);
    all.putAll(values);
    return new SessionSettings(all);
  }

  /** What decides which tables a statement means. */
  Prepared.Scope scope() {
    String path = values.get(SEARCH_PATH);
    String role = values.get(ROLE);
    return path == null && role == null
        ? Prepared.Scope.DEFAULT
        : new Prepared.Scope(role + "\0" + path);
  }

  /**
   * The queries that give a connection these settings, whatever it had. The encoding comes in one
   * of its own: PostgreSQL converts a whole query before it runs any of it.
   */
  List<byte[]> restoring() {
    var queries = new ArrayList<byte[]>();
    var first = new StringBuilder("RESET SESSION AUTHORIZATION;RESET ALL");
    String encoding = values.get(ENCODING);
    if (encoding != null) {
      first.append(";SELECT ");
      set(first, ENCODING, encoding);
      queries.add(bytes(first));
      first.setLength(0);
    }
    String separator = encoding == null ? ";SELECT " : "SELECT ";
    for (var setting : new TreeMap<>(values).entrySet()) {
      if (!setting.getKey().equals(ENCODING) && !setting.getKey().equals(ROLE)) {
        first.append(separator);
        set(first, setting.getKey(), setting.getValue());
        separator = ",";
      }
    }
    String role = values.get(ROLE);
    if (role != null) {
      // Last: it may not be allowed to set the others.
      first.append(first.isEmpty() ? "SELECT " : ";SELECT ");
      set(first, ROLE, role);
    }
    if (!first.isEmpty()) {
      queries.add(bytes(first));
    }
    return queries;
  }

  private static void set(StringBuilder sql, String name, String value) {
    sql.append("pg_catalog.set_config(");
    quote(sql, name);
    sql.append(',');
    quote(sql, value);
    sql.append(",false)");
  }

  /** With escapes, which mean the same whatever standard_conforming_strings says. */
  static void quote(StringBuilder sql, String text) {
    sql.append("E'");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '\'' || c == '\\') {
        sql.append('\\');
      }
      sql.append(c);
    }
    sql.append('\'');
  }

  private static byte[] bytes(StringBuilder sql) {
    return sql.toString().getBytes(StandardCharsets.ISO_8859_1);
  }
}
