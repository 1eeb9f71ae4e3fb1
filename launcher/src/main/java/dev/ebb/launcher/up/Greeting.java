package dev.ebb.launcher.up;

import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What a started server tells.
 *
 * @param host where PostgreSQL clients connect
 * @param port where PostgreSQL clients connect
 * @param poolPort where they share connections; 0 where that is not to be told
 * @param database one to connect to; null where there is none
 * @param password put into the line where it was made or given just now
 * @param apiUrl of the HTTP API
 */
record Greeting(
    String host,
    int port,
    int poolPort,
    @Nullable Login database,
    @Nullable String password,
    String apiUrl,
    Path dataDir) {

  /** A database and who owns it. */
  record Login(String name, String owner) {}

  String text() {
    String first =
        database == null
            ? "  connect   (no database yet: ./ebb db create NAME)"
            : "  connect   " + psql(database);
    return String.join(
        "\n",
        "",
        "Ebb is up.",
        "",
        poolPort == 0 ? first : first + "\n  pooled    the same with port " + poolPort,
        "  HTTP      " + apiUrl,
        "  data      " + dataDir,
        "  stop      Ctrl-C",
        "");
  }

  private String psql(Login login) {
    String secret = password == null ? "" : ":" + encoded(password);
    return "psql \"postgres://"
        + encoded(login.owner())
        + secret
        + "@"
        + host
        + ":"
        + port
        + "/"
        + encoded(login.name())
        + "\"";
  }

  private static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }
}
