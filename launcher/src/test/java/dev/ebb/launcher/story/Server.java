package dev.ebb.launcher.story;

import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.client.ApiException;
import dev.ebb.launcher.process.EbbProcess;
import dev.ebb.launcher.process.FreePorts;
import dev.ebb.shared.model.PostgresMajor;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** One {@code ebb up} with all its files below one directory; may be started again and again. */
final class Server implements AutoCloseable {
  private static final Duration START = Duration.ofMinutes(2);
  private static final Duration STOP = Duration.ofSeconds(90);
  private static final int HTTP_TIMEOUT_MS = 10_000;

  /** What settings of computes begin with: they share a line with those that are always set. */
  private static final String COMPUTE = "compute.";

  private final Path home;
  private final Path cache;
  private final Path config;
  private final int port;
  private final int httpPort;
  private @Nullable EbbProcess process;

  /**
   * @param home an empty directory that the PostgreSQL user can pass through
   * @param settings lines of the configuration file beside those for places and ports
   */
  Server(Path home, String... settings) throws IOException {
    this(home, home.resolve("cache"), settings);
  }

  /** Keeps the local files of computes in {@code cache}. */
  Server(Path home, Path cache, String... settings) throws IOException {
    this.home = home;
    this.cache = cache;
    // PostgreSQL's user must get to its files where the test runs as root.
    Files.setPosixFilePermissions(home, PosixFilePermissions.fromString("rwx--x--x"));
    List<Integer> free = FreePorts.take(2);
    port = free.get(0);
    httpPort = free.get(1);
    List<String> lines = new ArrayList<>();
    lines.add("dataDir: " + data());
    lines.add("gateway: {port: " + port + ", pool: {port: none}}");
    lines.add("api: {httpPort: " + httpPort + "}");
    var compute = new StringBuilder("compute: {memoryBudget: 2GB, cacheDir: " + cache);
    for (String setting : settings) {
      if (setting.startsWith(COMPUTE)) {
        compute.append(", ").append(setting.substring(COMPUTE.length()));
      } else {
        lines.add(setting);
      }
    }
    lines.add(compute + "}");
    config = Files.write(home.resolve("ebb.yaml"), lines);
  }

  /** Starts it and waits until it is up. */
  Server start() throws IOException, InterruptedException {
    EbbProcess started =
        EbbProcess.start(home, Map.of(), "up", "--config", config.toString(), "--password", "word");
    process = started;
    started.awaitLine("Ebb is up", START);
    return this;
  }

  /** Stops it cleanly: computes are suspended. */
  void stop() throws InterruptedException {
    EbbProcess running = running();
    running.terminate();
    int exit = running.awaitExit(STOP);
    if (exit != 0) {
      throw new AssertionError("ended with " + exit + ":\n" + running.output());
    }
    process = null;
  }

  /** A signal by its name, such as STOP, to the process alone. */
  void signal(String name) throws IOException, InterruptedException {
    running().signal(name);
  }

  /** SIGKILL to the process alone. */
  void kill() throws InterruptedException {
    running().kill();
    process = null;
  }

  @Override
  public void close() {
    if (process != null) {
      process.close();
    }
  }

  private EbbProcess running() {
    return Objects.requireNonNull(process, "not started");
  }

  long pid() {
    return running().pid();
  }

  int port() {
    return port;
  }

  Path data() {
    return home.resolve("data");
  }

  Path store() {
    return data().resolve("store");
  }

  Path cache() {
    return cache;
  }

  String url() {
    return "http://127.0.0.1:" + httpPort;
  }

  ApiClient api() throws IOException {
    return new ApiClient(url(), Files.readString(data().resolve("token")).strip());
  }

  /**
   * Makes a database whose owner is {@code app} with the password {@code s3cret}: of the default
   * version, or of another one with {@code -Debb.postgres=14}.
   */
  Database create(String name) throws IOException, ApiException {
    return create(name, Integer.getInteger("ebb.postgres", PostgresMajor.DEFAULT.number()));
  }

  /** The same, of a major version of PostgreSQL. */
  Database create(String name, int postgresVersion) throws IOException, ApiException {
    Object made =
        api()
            .send(
                "POST",
                "/v1/databases",
                Map.of(
                    "name",
                    name,
                    "owner",
                    Database.OWNER,
                    "password",
                    Database.PASSWORD,
                    "postgresVersion",
                    postgresVersion));
    return new Database(this, name, text(made, "id"));
  }

  /** The database that the first start makes. */
  Database first() throws IOException, ApiException {
    return new Database(this, "ebb", text(api().send("GET", "/v1/databases/ebb", null), "id"));
  }

  private static String text(@Nullable Object json, String key) {
    if (json instanceof Map<?, ?> fields && fields.get(key) instanceof String text) {
      return text;
    }
    throw new AssertionError("no " + key + " in " + json);
  }

  /** What {@code ebb ps} lists. */
  List<Map<?, ?>> computes() throws IOException, ApiException {
    List<Map<?, ?>> computes = new ArrayList<>();
    if (api().send("GET", "/v1/computes", null) instanceof Map<?, ?> answer
        && answer.get("computes") instanceof List<?> listed) {
      for (Object compute : listed) {
        computes.add((Map<?, ?>) compute);
      }
    }
    return computes;
  }

  /** A gauge's value now; the sum where several have the name. */
  double metric(String name) throws IOException {
    return get("/metrics")
        .lines()
        .filter(line -> line.startsWith(name + " ") || line.startsWith(name + "{"))
        .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
        .sum();
  }

  /** The body of an answer with status 200. */
  String get(String path) throws IOException {
    var connection = (HttpURLConnection) URI.create(url() + path).toURL().openConnection();
    connection.setConnectTimeout(HTTP_TIMEOUT_MS);
    connection.setReadTimeout(HTTP_TIMEOUT_MS);
    connection.setRequestProperty(
        "Authorization", "Bearer " + Files.readString(data().resolve("token")).strip());
    try (InputStream body = connection.getInputStream()) {
      return new String(body.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  /** The log so far, for a failure's message. */
  String log() throws IOException {
    return Files.readString(data().resolve("log").resolve("ebb.log"));
  }
}
