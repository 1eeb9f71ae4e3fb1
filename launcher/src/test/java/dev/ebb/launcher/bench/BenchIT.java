package dev.ebb.launcher.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.ebb.computeservice.postgres.OsUser;
import dev.ebb.computeservice.postgres.PostgresBinaries;
import dev.ebb.launcher.client.Json;
import dev.ebb.launcher.client.ServerLocation;
import dev.ebb.shared.model.PostgresMajor;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import picocli.CommandLine;

/**
 * The benches against a server that is not real: its gateway is a bare PostgreSQL that stays up,
 * its API forgets what it is asked. What they measure is nonsense; that they measure, print and
 * leave nothing behind is what counts here.
 */
@Timeout(240)
final class BenchIT {
  private static final Pattern NAME = Pattern.compile("bench_[0-9a-f]+");

  private final List<String> requests = new CopyOnWriteArrayList<>();
  private final Cleanup cleanup = new Cleanup();
  private Path data = Path.of("");
  private volatile String database = "";
  private BarePostgres behind = uninitialised();

  @SuppressWarnings("NullAway") // set before each test
  private static BarePostgres uninitialised() {
    return null;
  }

  @BeforeEach
  void startServer() throws IOException {
    // Not @TempDir, which is closed to other users.
    data = Files.createTempDirectory("ebb-bench-it");
    Files.setPosixFilePermissions(data, PosixFilePermissions.fromString("rwxr-xr-x"));
    cleanup.add("delete " + data, () -> Cleanup.deleteTree(data));
    OsUser user = OsUser.choose("postgres");
    PostgresBinaries binaries =
        PostgresBinaries.unpack(data.resolve("postgres"), user, PostgresMajor.DEFAULT);
    Files.writeString(data.resolve("token"), "t0ken");
    behind =
        BarePostgres.create(
            new PostgresPrograms(binaries.directory(), user.switched() ? user.name() : null),
            data,
            Map.of("shared_buffers", "16MB", "max_connections", "20"),
            cleanup);
    behind.start();
    HttpServer api =
        HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    cleanup.add("stop the API", () -> api.stop(0));
    api.createContext("/", this::answer);
    api.start();
    new ServerLocation(
            "http://127.0.0.1:" + api.getAddress().getPort(),
            behind.target().host(),
            behind.target().port(),
            ProcessHandle.current().pid())
        .write(data);
  }

  @AfterEach
  void stopServer() {
    cleanup.close();
  }

  private void answer(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath();
    Matcher name = NAME.matcher(path);
    if (name.find()) {
      database = name.group();
    }
    requests.add(exchange.getRequestMethod() + " " + NAME.matcher(path).replaceAll("NAME"));
    String body = new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8);
    if (exchange.getRequestMethod().equals("POST")
        && path.equals("/v1/databases")
        && Json.parse(body) instanceof Map<?, ?> wanted) {
      database = String.valueOf(wanted.get("name"));
      behind
          .target()
          .execute(
              "create role "
                  + wanted.get("owner")
                  + " login password '"
                  + wanted.get("password")
                  + "'",
              "create database " + wanted.get("name") + " owner " + wanted.get("owner"));
    }
    Target target = behind.target();
    String answer =
        switch (path) {
          case "/metrics" -> "up 1\n";
          case "/v1/computes" ->
              Json.write(
                  Map.of(
                      "computes",
                      List.of(
                          Map.of("database", "other", "port", 1, "pid", 1),
                          Map.of(
                              "database",
                              database,
                              "branch",
                              "main",
                              "port",
                              target.port(),
                              "pid",
                              behind.pid()))));
          default -> "{\"parts\":{\"postgresMicros\":21000}}";
        };
    byte[] bytes = answer.getBytes(StandardCharsets.UTF_8);
    exchange.sendResponseHeaders(200, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }

  @Test
  void wakePrintsBothSidesAndLeavesNothing() throws IOException {
    Object report = run("wake", "--rounds", "2", "--warmup", "1", "--json");

    assertThat(report)
        .asInstanceOf(org.assertj.core.api.InstanceOfAssertFactories.MAP)
        .containsEntry("bench", "wake")
        .containsKeys("machine", "ebbSuspended", "postgresStopped", "ratio");
    assertThat(Json.write(report)).contains("\"shared_buffers\":\"16MB\"", "postgresMicros");
    assertThat(requests.stream().filter(r -> r.endsWith("/NAME/branches/main/suspend"))).hasSize(3);
    assertNothingIsLeft();
  }

  @Test
  void overheadPrintsRatiosAndLeavesNothing() throws IOException {
    Object report =
        run(
            "overhead",
            "--seconds",
            "2",
            "--slice",
            "1",
            "--scale",
            "1",
            "--clients",
            "2",
            "--warmup",
            "1",
            "--json");

    assertThat(Json.write(report))
        .contains("\"workload\":\"select-only\"", "\"workload\":\"TPC-B\"", "\"ratios\":{\"Ebb\":");
    assertNothingIsLeft();
  }

  @Test
  void scanPrintsBothSidesAndLeavesNothing() throws IOException {
    Object report = run("scan", "--size", "2MB", "--rounds", "2", "--warmup", "1", "--json");

    assertThat(report)
        .asInstanceOf(org.assertj.core.api.InstanceOfAssertFactories.MAP)
        .containsEntry("bench", "scan")
        .containsKeys("pageCacheDropped", "ebbFirst", "postgresFirst", "ratio");
    assertThat(requests.stream().filter(r -> r.endsWith("/NAME/branches/main/suspend"))).hasSize(3);
    assertNothingIsLeft();
  }

  private Object run(String... arguments) throws IOException {
    var out = new StringWriter();
    var command = new CommandLine(new BenchCommand()).setOut(new PrintWriter(out));
    String[] all =
        Stream.concat(Stream.of(arguments), Stream.of("--data", data.toString()))
            .toArray(String[]::new);
    assertThat(command.execute(all)).isZero();
    return java.util.Objects.requireNonNull(Json.parse(out.toString()));
  }

  private void assertNothingIsLeft() throws IOException {
    assertThat(requests.getLast()).isEqualTo("DELETE /v1/databases/NAME");
    try (Stream<Path> files = Files.list(data)) {
      assertThat(files.map(Path::getFileName).map(Path::toString))
          .filteredOn(name -> name.startsWith("bench"))
          .isEmpty();
    }
  }
}
