package dev.ebb.launcher.durability;

import static java.util.Objects.requireNonNull;

import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.client.ApiException;
import dev.ebb.launcher.process.EbbProcess;
import dev.ebb.launcher.process.FreePorts;
import dev.ebb.shared.archive.ArchiveKey;
import dev.ebb.shared.store.S3TestServer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** An {@code ebb up} that can be killed and started again, and what runs below it. */
final class Site implements AutoCloseable {
  static final String DATABASE = "ebb";
  private static final String OWNER = "app";
  private static final String PASSWORD = "s3cret";
  private static final String TOKEN = "token-of-the-durability-tests";
  private static final Map<String, String> ENVIRONMENT =
      Map.of(
          "EBB_TOKEN",
          TOKEN,
          "EBB_CLUSTER_SECRET",
          "cluster-secret-of-the-durability-tests",
          "AWS_ACCESS_KEY_ID",
          S3TestServer.ACCESS_KEY,
          "AWS_SECRET_ACCESS_KEY",
          S3TestServer.SECRET_KEY);
  private static final Duration START = Duration.ofMinutes(2);

  private final Path home;
  private final Path config;
  private final Map<String, String> environment;
  private final int gatewayPort;
  private final ApiClient api;
  private @Nullable EbbProcess process;
  private boolean started;

  /** A compute of the site. */
  record Compute(long pid, int port, long generation) {}

  /**
   * Prepares a site.
   *
   * @param home of all its files
   * @param captureInterval how long a running compute goes without a snapshot
   * @param more lines of the configuration
   */
  Site(Path home, String captureInterval, String more) throws IOException {
    this(home, captureInterval, more, Map.of());
  }

  /** Gives the server's process more environment variables. */
  Site(Path home, String captureInterval, String more, Map<String, String> variables)
      throws IOException {
    this.home = Files.createDirectories(home);
    this.environment = new HashMap<>(ENVIRONMENT);
    this.environment.putAll(variables);
    // PostgreSQL's user must get to its files where the test runs as root.
    Files.setPosixFilePermissions(home, PosixFilePermissions.fromString("rwx--x--x"));
    List<Integer> ports = FreePorts.take(2);
    gatewayPort = ports.get(0);
    api = new ApiClient("http://127.0.0.1:" + ports.get(1), TOKEN);
    config =
        Files.writeString(
            home.resolve("ebb.yaml"),
            """
            dataDir: %s
            gateway: {port: %d, pool: {port: none}}
            api: {httpPort: %d}
            compute: {cacheDir: %s, memoryBudget: 1GB, captureInterval: %s}
            scaler: {idleTimeout: 0}
            %s
            """
                .formatted(
                    home.resolve("data"),
                    gatewayPort,
                    ports.get(1),
                    cache(),
                    captureInterval,
                    more));
  }

  Path cache() {
    return home.resolve("cache");
  }

  Path data() {
    return home.resolve("data");
  }

  /** How many archived parts of logs are in the store. */
  long archiveObjects() throws IOException {
    Path store = data().resolve("store");
    try (Stream<Path> objects = Files.walk(store)) {
      return objects
          .filter(file -> ArchiveKey.parse(store.relativize(file).toString()).isPresent())
          .count();
    }
  }

  void start() throws Exception {
    process =
        EbbProcess.start(
            home, environment, "up", "--config", config.toString(), "--password", PASSWORD);
    process.awaitLine("Ebb is up", START);
    if (!started) {
      started = true;
      chooseVersion();
    }
  }

  /**
   * With {@code -Debb.postgres=14} these tests run on another major version than the default: the
   * first database is made again.
   */
  private void chooseVersion() throws ApiException {
    Integer major = Integer.getInteger("ebb.postgres");
    if (major != null) {
      api.send("DELETE", "/v1/databases/" + DATABASE, null);
      api.send(
          "POST",
          "/v1/databases",
          Map.of("name", DATABASE, "owner", OWNER, "password", PASSWORD, "postgresVersion", major));
    }
  }

  long pid() {
    return requireNonNull(process).pid();
  }

  /** SIGKILL to {@code ebb} alone: what it has started is left to itself. */
  void kill() throws InterruptedException {
    requireNonNull(process).kill();
  }

  /** A connection through the gateway. */
  Connection connect() throws SQLException {
    return connect(gatewayPort);
  }

  /** A connection to a compute of any site, past every gateway. */
  static Connection connectTo(Compute compute) throws SQLException {
    return connect(compute.port());
  }

  private static Connection connect(int port) throws SQLException {
    return DriverManager.getConnection(
        "jdbc:postgresql://127.0.0.1:"
            + port
            + "/"
            + DATABASE
            + "?sslmode=disable&connectTimeout=10&socketTimeout=60",
        OWNER,
        PASSWORD);
  }

  void suspend() throws ApiException {
    api.send("POST", "/v1/databases/" + DATABASE + "/branches/main/suspend", null);
  }

  /** The compute that the site's API tells of. */
  Optional<Compute> compute() throws ApiException {
    if (api.send("GET", "/v1/computes", null) instanceof Map<?, ?> answer
        && answer.get("computes") instanceof List<?> computes
        && !computes.isEmpty()
        && computes.getFirst() instanceof Map<?, ?> compute
        && number(compute, "pid") > 0) {
      return Optional.of(
          new Compute(
              number(compute, "pid"),
              (int) number(compute, "port"),
              number(compute, "generation")));
    }
    return Optional.empty();
  }

  private static long number(Map<?, ?> fields, String name) {
    return fields.get(name) instanceof Number number ? number.longValue() : 0;
  }

  /** The postmasters below this {@code ebb}, also those that do not accept connections yet. */
  List<ProcessHandle> postmasters() {
    return postgres().stream()
        .filter(found -> !found.parent().map(Site::isPostgres).orElse(false))
        .toList();
  }

  /** Every process of PostgreSQL below this {@code ebb}. */
  List<ProcessHandle> postgres() {
    return ProcessHandle.of(pid()).stream()
        .flatMap(ProcessHandle::descendants)
        .filter(Site::isPostgres)
        .toList();
  }

  private static boolean isPostgres(ProcessHandle found) {
    return found.info().command().map(path -> path.endsWith("/postgres")).orElse(false);
  }

  /** How many lines of the log hold the text. */
  long countInLog(String text) throws IOException {
    return inLog(text).size();
  }

  /** The lines that contain it. */
  List<String> inLog(String text) throws IOException {
    List<String> found = new ArrayList<>();
    try (Stream<Path> logs = Files.list(data().resolve("log"))) {
      for (Path log : logs.toList()) {
        try (Stream<String> lines = Files.lines(log)) {
          lines.filter(line -> line.contains(text)).forEach(found::add);
        }
      }
    }
    return found;
  }

  /** Runs SQL as PostgreSQL's superuser, whom no gateway lets in, and returns what psql prints. */
  String asSuperuser(String sql) throws Exception {
    Compute compute = compute().orElseThrow(() -> new AssertionError("no compute is running"));
    Path sockets;
    try (Stream<Path> directories = Files.list(cache().resolve("run"))) {
      sockets =
          directories
              .filter(found -> Files.exists(found.resolve(".s.PGSQL." + compute.port())))
              .findFirst()
              .orElseThrow(() -> new AssertionError("no socket of port " + compute.port()));
    }
    Path script = Files.writeString(home.resolve("superuser.sql"), sql);
    Process psql =
        new ProcessBuilder(
                "psql",
                "-X",
                "-A",
                "-t",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                sockets.toString(),
                "-p",
                String.valueOf(compute.port()),
                "-U",
                "ebb_admin",
                "-d",
                DATABASE,
                "-f",
                script.toString())
            .redirectErrorStream(true)
            .start();
    String printed =
        new String(psql.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    if (psql.waitFor() != 0) {
      throw new AssertionError("psql: " + printed);
    }
    return printed;
  }

  @Override
  public void close() {
    if (process != null) {
      process.close();
    }
  }
}
