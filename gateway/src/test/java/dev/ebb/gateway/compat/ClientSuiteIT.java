package dev.ebb.gateway.compat;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.gateway.FakeComputes;
import dev.ebb.gateway.GatewayConfig;
import dev.ebb.gateway.GatewayFixture;
import dev.ebb.gateway.RealPostgres;
import dev.ebb.gateway.pool.PoolConfig;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The test suite of {@code vertx-pg-client} against the same PostgreSQL directly and through both
 * of the gateway's ports: what differs is in {@code known-differences.txt} with its reason, and
 * nothing else is. All of it with {@code -Debb.soak=true}, otherwise a part.
 */
final class ClientSuiteIT {
  private static final boolean SOAK = Boolean.getBoolean("ebb.soak");
  private static final List<String> CLASSES = SOAK ? ClientSuite.ALL : ClientSuite.SHORT;
  private static final String DATABASE = "suite";

  @TempDir private static Path directory;
  private static GatewayFixture gateway;

  /** Refuses clients without TLS. */
  private static GatewayFixture strict;

  @BeforeAll
  static void start() throws IOException, SQLException {
    Path certificate = resource("tls/server.crt");
    Path key = resource("tls/server.key");
    gateway = fixture("offers", config -> config.withCertificate(certificate, key));
    strict =
        fixture("requires", config -> config.withTlsRequired().withCertificate(certificate, key));
    RealPostgres postgres = RealPostgres.shared();
    postgres.sql("CREATE ROLE suite SUPERUSER LOGIN PASSWORD 'suite'");
    postgres.sql("CREATE DATABASE suite_template OWNER suite");
    try (var connection = postgres.admin("suite_template");
        var statement = connection.createStatement()) {
      statement.execute(ClientSuite.schema());
    }
  }

  private static GatewayFixture fixture(
      String name, java.util.function.UnaryOperator<GatewayConfig> configure) throws IOException {
    Path own = Files.createDirectory(directory.resolve(name));
    var made =
        new GatewayFixture(own, config -> configure.apply(config).withPool(0, PoolConfig.DEFAULT));
    made.branches.put(DATABASE + "@main", FakeComputes.SHOP);
    return made;
  }

  private static Path resource(String name) throws IOException {
    Path to = directory.resolve(name.replace('/', '-'));
    try (InputStream in = ClientSuiteIT.class.getResourceAsStream("/" + name)) {
      Files.copy(java.util.Objects.requireNonNull(in, name), to);
    }
    return to;
  }

  @AfterAll
  static void stop() {
    gateway.close();
    strict.close();
    RealPostgres.shared().sql("DROP DATABASE IF EXISTS " + DATABASE + " WITH (FORCE)");
    RealPostgres.shared().sql("DROP DATABASE suite_template WITH (FORCE)");
  }

  @Test
  void resultsAreThoseOfTheServerAloneButForKnownDifferences() throws Exception {
    Map<String, Map<String, ClientSuite.Result>> byMode = new TreeMap<>();
    for (String mode : List.of("direct", "session", "pool")) {
      RealPostgres.shared().sql("DROP DATABASE IF EXISTS " + DATABASE + " WITH (FORCE)");
      RealPostgres.shared().sql("CREATE DATABASE suite TEMPLATE suite_template OWNER suite");
      List<String> classes =
          mode.equals("direct")
              ? CLASSES.stream().filter(name -> !name.endsWith(".TLSTest")).toList()
              : CLASSES;
      long began = System.nanoTime();
      byMode.put(mode, ClientSuite.run(directory, mode, places(mode), classes));
      System.out.printf(
          "vertx-pg-client, %s: %d tests in %d ms%n",
          mode, results(byMode, mode).size(), (System.nanoTime() - began) / 1_000_000);
    }
    assertThat(results(byMode, "pool").keySet())
        .containsAll(results(byMode, "direct").keySet())
        .hasSameSizeAs(results(byMode, "session").keySet());
    List<String> wrong = KnownDifferences.read().judge(byMode, SOAK);
    assertThat(wrong).as("unexplained differences").isEmpty();
  }

  private static Map<String, ClientSuite.Result> results(
      Map<String, Map<String, ClientSuite.Result>> byMode, String mode) {
    return byMode.getOrDefault(mode, Map.of());
  }

  private static Map<String, String> places(String mode) {
    var properties = new TreeMap<String, String>();
    switch (mode) {
      case "session" -> {
        properties.put("connection.uri", uri(gateway.port));
        properties.put("tls.connection.uri", uri(gateway.port));
        properties.put("tls.force.connection.uri", uri(strict.port));
      }
      case "pool" -> {
        properties.put("connection.uri", uri(gateway.poolPort));
        properties.put("tls.connection.uri", uri(gateway.poolPort));
        properties.put("tls.force.connection.uri", uri(strict.poolPort));
      }
      default -> properties.put("connection.uri", uri(RealPostgres.shared().port()));
    }
    return properties;
  }

  private static String uri(int port) {
    return "postgresql://suite:suite@127.0.0.1:" + port + "/" + DATABASE;
  }
}
