package dev.ebb.launcher.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.launcher.client.ApiClient;
import dev.ebb.walservice.broker.EmbeddedBroker;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The five services as five processes, each with a data directory of its own, joined by Hazelcast
 * and a Kafka that the test runs: create, insert, suspend, wake, read.
 */
final class FiveProcessesIT {
  private static final Duration START = Duration.ofSeconds(90);
  private static final Duration STOP = Duration.ofSeconds(90);
  private static final List<String> SERVICES =
      List.of("page", "wal", "compute", "gateway", "scaler");
  private static final String TOKEN = "token-of-the-test";
  private static final Map<String, String> ENVIRONMENT =
      Map.of("EBB_TOKEN", TOKEN, "EBB_CLUSTER_SECRET", "cluster-secret-of-the-test");

  @TempDir private Path directory;

  /** Where everything listens. */
  private record Ports(int gateway, int api, int member, List<Integer> health) {
    static Ports take() throws Exception {
      List<Integer> free = FreePorts.take(3 + SERVICES.size());
      return new Ports(free.get(0), free.get(1), free.get(2), free.subList(3, free.size()));
    }
  }

  @Test
  void databaseLivesThroughASuspendAcrossFiveProcesses() throws Exception {
    // PostgreSQL's user must get to its files where the test runs as root.
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
    Ports ports = Ports.take();
    Map<String, EbbProcess> processes = new LinkedHashMap<>();
    try (var broker = new EmbeddedBroker(directory.resolve("kafka"), 0)) {
      broker.start();
      try {
        for (String service : SERVICES) {
          processes.put(service, start(service, ports, broker.bootstrapServers()));
          processes.get(service).awaitLine("ebb " + service + " is up", START);
        }
        story(ports);
        assertThatAllAreReadyAndMeasured(ports);
        stop(processes);
      } finally {
        for (EbbProcess process : new ArrayList<>(processes.values()).reversed()) {
          process.close();
        }
      }
    }
  }

  private EbbProcess start(String service, Ports ports, String bootstrapServers) throws Exception {
    Path home = Files.createDirectories(directory.resolve(service));
    int health = ports.health().get(SERVICES.indexOf(service));
    Path config =
        Files.writeString(
            home.resolve("ebb.yaml"),
            """
            dataDir: %s
            gateway: {port: %d, pool: {port: 0}}
            api: {httpPort: %d}
            store: {local: {dir: %s}}
            kafka: {bootstrapServers: "%s", replicationFactor: 1, minInsyncReplicas: 1}
            hazelcast: {port: %d, members: ["127.0.0.1:%d"]}
            compute: {memoryBudget: 1GB}
            service: {httpPort: %d}
            """
                .formatted(
                    home.resolve("data"),
                    ports.gateway(),
                    ports.api(),
                    directory.resolve("store"),
                    bootstrapServers,
                    ports.member(),
                    ports.member(),
                    health));
    return EbbProcess.start(home, ENVIRONMENT, "run", service, "--config", config.toString());
  }

  private static void story(Ports ports) throws Exception {
    var api = new ApiClient("http://127.0.0.1:" + ports.api(), TOKEN);
    api.send("POST", "/v1/databases", Map.of("name", "shop", "owner", "app", "password", "s3cret"));
    try (Connection connection = connect(ports);
        Statement statement = connection.createStatement()) {
      statement.execute("CREATE TABLE item (id int PRIMARY KEY, name text)");
      statement.execute("INSERT INTO item SELECT i, 'item ' || i FROM generate_series(1, 1000) i");
    }

    api.send("POST", "/v1/databases/shop/branches/main/suspend", null);
    assertThat(String.valueOf(api.send("GET", "/v1/computes", null)))
        .as("computes after the suspend")
        .doesNotContain("shop");

    assertThat(read(ports)).as("after a wake on connect").isEqualTo("1000 item 500");
    api.send("POST", "/v1/databases/shop/branches/main/suspend", null);
    api.send("POST", "/v1/databases/shop/branches/main/wake", null);
    assertThat(read(ports)).as("after a wake by the API").isEqualTo("1000 item 500");

    String replicas = "/v1/databases/shop/branches/main/replicas";
    api.send("POST", replicas, Map.of("count", 1));
    assertThat(read(ports, "-c ebb.route=replica")).as("replica").isEqualTo("1000 item 500");
    api.send("DELETE", replicas, null);
  }

  private static String read(Ports ports) throws SQLException {
    return read(ports, "");
  }

  private static String read(Ports ports, String options) throws SQLException {
    try (Connection connection = connect(ports, options);
        Statement statement = connection.createStatement();
        ResultSet rows =
            statement.executeQuery(
                "SELECT count(*), max(name) FILTER (WHERE id = 500) FROM item")) {
      rows.next();
      return rows.getInt(1) + " " + rows.getString(2);
    }
  }

  private static Connection connect(Ports ports) throws SQLException {
    return connect(ports, "");
  }

  private static Connection connect(Ports ports, String options) throws SQLException {
    var properties = new Properties();
    properties.setProperty("user", "app");
    properties.setProperty("password", "s3cret");
    if (!options.isEmpty()) {
      properties.setProperty("options", options);
    }
    return DriverManager.getConnection(
        "jdbc:postgresql://127.0.0.1:" + ports.gateway() + "/shop", properties);
  }

  private static void assertThatAllAreReadyAndMeasured(Ports ports) throws Exception {
    try (var http = HttpClient.newHttpClient()) {
      for (String service : SERVICES) {
        String url = "http://127.0.0.1:" + ports.health().get(SERVICES.indexOf(service));
        assertThat(get(http, url + "/healthz/live").statusCode()).as(service).isEqualTo(200);
        assertThat(get(http, url + "/healthz/ready").body()).as(service).isEqualTo("ready\n");
        assertThat(get(http, url + "/metrics").body()).as(service).contains("jvm_memory_used");
        assertThat(get(http, url + "/other").statusCode()).as(service).isEqualTo(404);
      }
    }
  }

  private static HttpResponse<String> get(HttpClient http, String url) throws Exception {
    return http.send(
        HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(20)).build(),
        HttpResponse.BodyHandlers.ofString());
  }

  private static void stop(Map<String, EbbProcess> processes) throws Exception {
    for (String service : List.of("gateway", "scaler", "compute", "wal", "page")) {
      EbbProcess process = Objects.requireNonNull(processes.get(service));
      process.terminate();
      assertThat(process.awaitExit(STOP)).as(service + ":\n" + process.output()).isZero();
    }
  }
}
