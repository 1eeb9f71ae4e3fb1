package dev.ebb.launcher.story;

import dev.ebb.computeservice.lifecycle.AdminPasswords;
import dev.ebb.launcher.client.ApiException;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Secret;
import java.io.IOException;
import java.nio.file.Files;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;
import java.util.Properties;

/**
 * A database of the server, reached through the gateway.
 *
 * @param name with {@code @branch} where it is not main
 */
record Database(Server server, String name, String id) {
  static final String OWNER = "app";
  static final String PASSWORD = "s3cret";
  private static final String ADMIN = "ebb_admin";
  private static final String TIMEOUT_SECONDS = "120";

  /** Another branch of it. */
  Database at(String branch) {
    return new Database(server, bareName() + "@" + branch, id);
  }

  /** PostgreSQL's own name of it. */
  String bareName() {
    return name.replaceFirst("@.*", "");
  }

  private String branch() {
    return name.contains("@") ? name.replaceFirst(".*@", "") : "main";
  }

  /** As the owner. */
  Connection connect() throws SQLException {
    return connect(OWNER, PASSWORD);
  }

  Connection connect(String user, String password) throws SQLException {
    return connect(server.port(), name, user, password);
  }

  /** As the owner, with the setting {@code ebb.route}. */
  Connection connectRouted(String route) throws SQLException {
    var properties = new Properties();
    properties.setProperty("options", "-c ebb.route=" + route);
    return connect(server.port(), name, OWNER, PASSWORD, properties);
  }

  private static Connection connect(int port, String name, String user, String password)
      throws SQLException {
    return connect(port, name, user, password, new Properties());
  }

  static Connection connect(
      int port, String name, String user, String password, Properties properties)
      throws SQLException {
    properties.setProperty("user", user);
    properties.setProperty("password", password);
    properties.setProperty("sslmode", "disable");
    properties.setProperty("gssEncMode", "disable");
    properties.setProperty("loginTimeout", TIMEOUT_SECONDS);
    properties.setProperty("socketTimeout", TIMEOUT_SECONDS);
    // Nothing is sent behind the login that a suspend could cut off.
    properties.setProperty("assumeMinServerVersion", "14");
    return DriverManager.getConnection(
        "jdbc:postgresql://127.0.0.1:" + port + "/" + name, properties);
  }

  /** Past the gateway, as the superuser that only Ebb itself may be. */
  Connection connectAsAdmin() throws SQLException, IOException, ApiException {
    String password = adminPassword();
    if (compute("wake") instanceof Map<?, ?> ready && ready.get("port") instanceof Number port) {
      return connect(port.intValue(), bareName(), ADMIN, password);
    }
    throw new AssertionError("the API does not tell the compute's port");
  }

  String adminPassword() throws IOException {
    var secret = new Secret(Files.readString(server.data().resolve("cluster-secret")).strip());
    return new AdminPasswords(secret).of(new DatabaseId(id)).reveal();
  }

  /** Each in a transaction of its own, in a connection of its own. */
  void execute(String... statements) throws SQLException {
    try (Connection connection = connect();
        Statement statement = connection.createStatement()) {
      for (String sql : statements) {
        statement.execute(sql);
      }
    }
  }

  /** The first column of the first row, in a connection of its own. */
  String ask(String query) throws SQLException {
    try (Connection connection = connect()) {
      return ask(connection, query);
    }
  }

  static String ask(Connection connection, String query) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(query)) {
      if (!rows.next()) {
        throw new AssertionError("no row: " + query);
      }
      return String.valueOf(rows.getString(1));
    }
  }

  void suspend() throws IOException, ApiException {
    compute("suspend");
  }

  void wake() throws IOException, ApiException {
    compute("wake");
  }

  private Object compute(String verb) throws IOException, ApiException {
    Object answer =
        server
            .api()
            .send(
                "POST", "/v1/databases/" + bareName() + "/branches/" + branch() + "/" + verb, null);
    return answer == null ? Map.of() : answer;
  }

  /** {@code suspended} where nothing runs, as {@code ebb db list} tells. */
  String state() throws IOException, ApiException {
    String answer = String.valueOf(server.api().send("GET", "/v1/databases/" + name, null));
    return answer.contains("state=suspended") ? "suspended" : answer;
  }
}
