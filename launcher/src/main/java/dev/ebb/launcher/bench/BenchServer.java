package dev.ebb.launcher.bench;

import dev.ebb.launcher.client.ApiClient;
import dev.ebb.launcher.client.ApiException;
import dev.ebb.launcher.client.ServerLocation;
import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.Secret;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** The server that is measured. */
final class BenchServer {
  private static final int TIMEOUT_MS = 10_000;

  /** Hosts announce their computes every second. */
  private static final long ANNOUNCEMENT_NANOS = TimeUnit.SECONDS.toNanos(10);

  private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

  private final ServerLocation location;
  private final String token;
  private final ApiClient api;

  BenchServer(ServerLocation location, String token) {
    this.location = location;
    this.token = token;
    this.api = new ApiClient(location.url(), token);
  }

  /** Makes a database for this run and sees to its end; the target goes through the gateway. */
  Target createDatabase(Cleanup cleanup) throws ApiException {
    String name = "bench_" + UUID.randomUUID().toString().replace("-", "").substring(0, 12);
    var password = new Secret(UUID.randomUUID().toString());
    cleanup.add(
        "drop the database " + name,
        () -> {
          try {
            api.send("DELETE", "/v1/databases/" + name, null);
          } catch (ApiException.Refused e) {
            if (e.status() != HttpURLConnection.HTTP_NOT_FOUND) {
              throw e;
            }
          }
        });
    api.send(
        "POST",
        "/v1/databases",
        Map.of("name", name, "owner", "bench", "password", password.reveal()));
    return target(name, "bench", password);
  }

  /** An existing database, through the gateway. */
  Target target(String database, String user, Secret password) {
    return new Target(
        "Ebb", location.gatewayHost(), location.gatewayPort(), database, user, password);
  }

  void suspend(Target target) throws ApiException {
    api.send("POST", branchPath(target) + "/suspend", null);
  }

  /** Makes a branch of a database's main; the target of it. */
  Target createBranch(Target of, String branch) throws ApiException {
    String database = BranchAddress.parse(of.database()).database();
    api.send("POST", "/v1/databases/" + database + "/branches", Map.of("name", branch));
    return new Target(
        of.name(), of.host(), of.port(), database + "@" + branch, of.user(), of.password());
  }

  void dropBranch(Target branch) throws ApiException {
    api.send("DELETE", branchPath(branch), null);
  }

  /**
   * How large a branch is, as of its newest snapshot.
   *
   * @param logicalBytes its data
   * @param ownBytes what is stored for it alone
   */
  record Stored(long logicalBytes, long ownBytes) {}

  Stored stored(Target target) throws ApiException {
    BranchAddress branch = BranchAddress.parse(target.database());
    List<Map<?, ?>> branches = new ArrayList<>();
    collect(api.send("GET", "/v1/databases/" + branch.database() + "/branches", null), branches);
    for (Map<?, ?> one : branches) {
      if (branch.branch().equals(one.get("name"))
          && one.get("logicalBytes") instanceof Number logical
          && one.get("ownBytes") instanceof Number own) {
        return new Stored(logical.longValue(), own.longValue());
      }
    }
    throw new BenchFailure("the server does not say how large " + target.database() + " is");
  }

  /** The answer to a wake of a branch that is awake: it tells what its start spent time on. */
  @Nullable Object wake(Target target) throws ApiException {
    return api.send("POST", branchPath(target) + "/wake", null);
  }

  /**
   * A running compute.
   *
   * @param pid of its postmaster
   * @param direct past the gateway
   */
  record Compute(long pid, Target direct) {}

  /** The compute of a database; wakes it. */
  Compute compute(Target target) throws ApiException {
    wake(target);
    long endNanos = System.nanoTime() + ANNOUNCEMENT_NANOS;
    do {
      List<Map<?, ?>> computes = new ArrayList<>();
      collect(api.send("GET", "/v1/computes", null), computes);
      for (Map<?, ?> compute : computes) {
        if (isOf(compute, target)
            && !"replica".equals(compute.get("kind"))
            && compute.get("port") instanceof Number port
            && compute.get("pid") instanceof Number pid
            && pid.longValue() > 0) {
          String host = compute.get("address") instanceof String address ? address : "127.0.0.1";
          return new Compute(
              pid.longValue(),
              new Target(
                  "Ebb, no gateway",
                  host,
                  port.intValue(),
                  BranchAddress.parse(target.database()).database(),
                  target.user(),
                  target.password()));
        }
      }
      LockSupport.parkNanos(POLL_NANOS);
    } while (System.nanoTime() < endNanos);
    throw new BenchFailure("the server does not list the compute of " + target.database());
  }

  private static boolean isOf(Map<?, ?> compute, Target target) {
    BranchAddress branch = BranchAddress.parse(target.database());
    return branch.database().equals(compute.get("database"))
        && branch.branch().equals(compute.get("branch"));
  }

  /** Objects anywhere in a JSON value. */
  private static void collect(@Nullable Object json, List<Map<?, ?>> objects) {
    switch (json) {
      case Map<?, ?> map -> {
        objects.add(map);
        map.values().forEach(value -> collect(value, objects));
      }
      case List<?> list -> list.forEach(value -> collect(value, objects));
      case null, default -> {}
    }
  }

  /** What {@code /metrics} says now. */
  MetricsText metrics() {
    try {
      var connection =
          (HttpURLConnection) URI.create(location.url() + "/metrics").toURL().openConnection();
      connection.setConnectTimeout(TIMEOUT_MS);
      connection.setReadTimeout(TIMEOUT_MS);
      connection.setRequestProperty("Authorization", "Bearer " + token);
      try (InputStream body = connection.getInputStream()) {
        return new MetricsText(new String(body.readAllBytes(), StandardCharsets.UTF_8));
      }
    } catch (IOException e) {
      throw new BenchFailure("the server's metrics cannot be read: " + e.getMessage(), e);
    }
  }

  /** Adds a replica; it serves then. */
  void addReplica(Target target) throws ApiException {
    api.send("POST", branchPath(target) + "/replicas", Map.of("count", 1));
  }

  void removeReplica(Target target) throws ApiException {
    api.send("DELETE", branchPath(target) + "/replicas", null);
  }

  private static String branchPath(Target target) {
    BranchAddress branch = BranchAddress.parse(target.database());
    return "/v1/databases/" + branch.database() + "/branches/" + branch.branch();
  }
}
