package dev.ebb.launcher.durability;

import static java.util.Objects.requireNonNull;

import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.process.EbbProcess;
import dev.ebb.launcher.process.FreePorts;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The services as processes of their own, two of them WAL services, on a Kafka and an object store
 * that outlive them.
 */
final class Fleet implements AutoCloseable {
  static final List<String> WAL_SERVICES = List.of("wal-1", "wal-2");

  /** The member that the others join. */
  static final String FIRST = "page";

  static final List<String> MEMBERS = List.of(FIRST, "wal-1", "wal-2", "compute", "gateway");

  /** Names of databases. */
  static final String BUSY = "busy";

  static final String ASLEEP = "asleep";
  private static final String TOKEN = "token-of-the-test";
  private static final Map<String, String> ENVIRONMENT =
      Map.of("EBB_TOKEN", TOKEN, "EBB_CLUSTER_SECRET", "cluster-secret-of-the-test");
  private static final Duration START = Duration.ofSeconds(90);

  private final Path directory;
  private final String kafka;
  private final int gatewayPort;
  private final int memberPort;
  private final List<Integer> healthPorts;
  private final ApiClient api;
  private final int apiPort;
  private final Map<String, EbbProcess> processes = new LinkedHashMap<>();

  /**
   * A fleet that is not started yet.
   *
   * @param kafka the section of the configuration
   */
  Fleet(Path directory, String kafka) throws IOException {
    this.directory = Files.createDirectories(directory);
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
    this.kafka = kafka;
    List<Integer> ports = FreePorts.take(3 + MEMBERS.size());
    healthPorts = ports.subList(3, ports.size());
    gatewayPort = ports.get(0);
    apiPort = ports.get(1);
    memberPort = ports.get(2);
    api = new ApiClient("http://127.0.0.1:" + apiPort, TOKEN);
  }

  /** Starts all that do not run. */
  void start() throws Exception {
    for (String name : MEMBERS) {
      if (!processes.containsKey(name)) {
        begin(name);
      }
      if (name.equals(FIRST)) {
        awaitUp(name);
      }
    }
    for (String name : MEMBERS) {
      awaitUp(name);
    }
  }

  private static String service(String name) {
    return WAL_SERVICES.contains(name) ? "wal" : name;
  }

  void begin(String name) throws IOException {
    Path home = Files.createDirectories(directory.resolve(name));
    String members =
        "hazelcast: {port: %d, members: [\"127.0.0.1:%d\"]}%nservice: {httpPort: %d}"
            .formatted(memberPort, memberPort, healthPorts.get(MEMBERS.indexOf(name)));
    Path config = config(home, members, directory.resolve("cache"));
    processes.put(
        name,
        EbbProcess.start(home, ENVIRONMENT, "run", service(name), "--config", config.toString()));
  }

  private Path config(Path home, String members, Path cache) throws IOException {
    return Files.writeString(
        home.resolve("ebb.yaml"),
        """
        dataDir: %s
        gateway: {port: %d, pool: {port: none}}
        api: {httpPort: %d}
        store: {local: {dir: %s}}
        %s
        %s
        compute: {memoryBudget: 1GB, cacheDir: %s}
        wal: {sender: {enabled: false}}
        """
            .formatted(
                home.resolve("data"),
                gatewayPort,
                apiPort,
                directory.resolve("store"),
                kafka,
                members,
                cache));
  }

  void awaitUp(String name) throws InterruptedException {
    process(name).awaitLine("ebb " + service(name) + " is up", START);
  }

  EbbProcess process(String name) {
    return requireNonNull(processes.get(name));
  }

  void kill(String name) throws InterruptedException {
    requireNonNull(processes.remove(name)).kill();
  }

  /** Whether it has not been killed as a whole. */
  boolean runs() {
    return processes.containsKey("compute");
  }

  /** SIGKILL to all of it, PostgreSQL included. */
  void killAll() throws InterruptedException {
    List<ProcessHandle> computes =
        ProcessHandle.of(process("compute").pid()).stream()
            .flatMap(ProcessHandle::descendants)
            .toList();
    for (String name : List.copyOf(processes.keySet())) {
      kill(name);
    }
    computes.forEach(ProcessHandle::destroyForcibly);
  }

  /**
   * Starts all services in one process, on what the others left behind in Kafka and the store: the
   * local caches are others.
   */
  void startAlone() throws Exception {
    Path home = Files.createDirectories(directory.resolve("alone"));
    Path config = config(home, "", home.resolve("cache"));
    processes.put(
        "alone", EbbProcess.start(home, ENVIRONMENT, "up", "--config", config.toString()));
    process("alone").awaitLine("Ebb is up", START);
  }

  /** Whether a WAL service receives from some primary. */
  boolean receives(String name) throws IOException {
    try (Stream<Path> threads = Files.list(Path.of("/proc", process(name).pid() + "", "task"))) {
      for (Path thread : threads.toList()) {
        if (Files.readString(thread.resolve("comm")).startsWith("wal-receiver")) {
          return true;
        }
      }
      return false;
    } catch (NoSuchFileException e) {
      return false; // a thread, or all of it, ended meanwhile
    }
  }

  void makeDatabase(String name) throws Exception {
    api.send("POST", "/v1/databases", Map.of("name", name, "owner", "app", "password", "s3cret"));
  }

  void suspend(String name) throws Exception {
    api.send("POST", "/v1/databases/" + name + "/branches/main/suspend", null);
  }

  Connection connect(String database) throws SQLException {
    return DriverManager.getConnection(
        "jdbc:postgresql://127.0.0.1:"
            + gatewayPort
            + "/"
            + database
            + "?sslmode=disable&connectTimeout=10&socketTimeout=120",
        "app",
        "s3cret");
  }

  /** What a process says of itself, such as at {@code /healthz/ready}. */
  HttpResponse<String> ask(String name, String path) throws Exception {
    try (var http = HttpClient.newHttpClient()) {
      String url = "http://127.0.0.1:" + healthPorts.get(MEMBERS.indexOf(name)) + path;
      return http.send(
          HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(20)).build(),
          HttpResponse.BodyHandlers.ofString());
    }
  }

  /** How many members of the cluster a process sees, itself included. */
  int members(String name) throws Exception {
    return ask(name, "/metrics")
        .body()
        .lines()
        .filter(line -> line.startsWith("ebb_cluster_members "))
        .mapToInt(line -> (int) Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
        .findFirst()
        .orElseThrow();
  }

  /** SIGTERM; the exit code. */
  int stop(String name) throws InterruptedException {
    EbbProcess process = requireNonNull(processes.remove(name));
    process.terminate();
    return process.awaitExit(START);
  }

  /** The lines of a process's log that contain a text. */
  List<String> inLog(String name, String text) throws IOException {
    Path log = directory.resolve(name).resolve("data/log/ebb-" + service(name) + ".log");
    try (var lines = Files.lines(log)) {
      return lines.filter(line -> line.contains(text)).toList();
    }
  }

  @Override
  public void close() {
    for (EbbProcess process : processes.values()) {
      try {
        process.signal("CONT");
      } catch (Exception e) { // it is gone
      }
    }
    try {
      if (processes.containsKey("compute")) {
        killAll();
      }
      for (String name : List.copyOf(processes.keySet())) {
        kill(name);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
