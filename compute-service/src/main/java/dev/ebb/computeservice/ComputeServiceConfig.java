package dev.ebb.computeservice;

import dev.ebb.computeservice.postgres.PostgresTls;
import dev.ebb.shared.model.Secret;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * How a host runs its computes.
 *
 * @param cacheDir holds PostgreSQL's binaries and the computes' directories: a cache, safe to
 *     delete while the service is down. The OS user that runs PostgreSQL must be able to reach it
 * @param osUser who runs PostgreSQL where the service itself runs as root
 * @param address the address that computes listen on and that the gateway connects to
 * @param memoryBudgetMb how much memory all computes of the host may use together, in MiB
 * @param computeMemoryMb how much memory one compute may use, in MiB
 * @param maxConnections client connections of one compute; the same for all computes of a database,
 *     whatever their size (rule 31)
 * @param clusterSecret the secret that the passwords of Ebb's own connections are derived from
 * @param captureWalBytes a running compute is captured when its WAL since the last snapshot exceeds
 *     this: it bounds the time that recovery takes
 * @param captureIntervalMs and at the latest after this time, where there is WAL at all
 * @param preparedStarts of how many suspended branches the next start is laid out in advance
 * @param localCacheBytes of blocks of all computes on the local disk; 0: three quarters of what is
 *     free there at the start. What is in no snapshot yet goes over it where need be
 * @param startTimeoutMs the longest that a start may take, recovery included
 * @param stopTimeoutMs the longest that a clean stop may take before it is treated as a crash
 * @param pitrWindowMs how far back a point-in-time branch reaches; as the page service has it
 * @param tls what computes show to gateways that ask for TLS; null where they offer none
 */
public record ComputeServiceConfig(
    Path cacheDir,
    String osUser,
    String address,
    int memoryBudgetMb,
    int computeMemoryMb,
    int maxConnections,
    Secret clusterSecret,
    long captureWalBytes,
    long captureIntervalMs,
    int preparedStarts,
    long localCacheBytes,
    long startTimeoutMs,
    long stopTimeoutMs,
    long pitrWindowMs,
    @Nullable PostgresTls tls) {
  private static final long MIN_LOCAL_CACHE_BYTES = 32L << 20;

  public ComputeServiceConfig {
    var violations = new ArrayList<String>();
    if (computeMemoryMb < 64) {
      violations.add("computeMemoryMb is " + computeMemoryMb + ", the least is 64");
    }
    if (memoryBudgetMb < computeMemoryMb) {
      violations.add(
          "memoryBudgetMb ("
              + memoryBudgetMb
              + ") has no room for one compute of "
              + computeMemoryMb
              + " MiB");
    }
    if (maxConnections < 10 || maxConnections > 10_000) {
      violations.add("maxConnections is " + maxConnections + ", expected 10 to 10000");
    }
    if (clusterSecret.reveal().length() < 16) {
      violations.add("clusterSecret is shorter than 16 characters");
    }
    if (captureWalBytes < 1 << 20) {
      violations.add("captureWalBytes is below 1 MiB");
    }
    if (captureIntervalMs < 1_000) {
      violations.add("captureIntervalMs is below 1 s");
    }
    if (preparedStarts < 0) {
      violations.add("preparedStarts is negative");
    }
    if (localCacheBytes != 0 && localCacheBytes < MIN_LOCAL_CACHE_BYTES) {
      violations.add("localCacheBytes is below 32 MiB");
    }
    if (startTimeoutMs < 1_000 || stopTimeoutMs < 1_000) {
      violations.add("startTimeoutMs and stopTimeoutMs are at least 1 s");
    }
    if (pitrWindowMs < 0) {
      violations.add("pitrWindowMs is negative");
    }
    if (!violations.isEmpty()) {
      throw new IllegalArgumentException("compute: " + String.join("; ", violations));
    }
    cacheDir = cacheDir.toAbsolutePath().normalize();
  }

  /** How many computes fit. */
  public int capacity() {
    return memoryBudgetMb / computeMemoryMb;
  }

  /** The defaults, for a host of {@code memoryBudgetMb}. */
  public static ComputeServiceConfig of(Path cacheDir, Secret clusterSecret, int memoryBudgetMb) {
    return new ComputeServiceConfig(
        cacheDir,
        "postgres",
        "127.0.0.1",
        memoryBudgetMb,
        256,
        100,
        clusterSecret,
        32L << 20,
        60_000,
        64,
        0,
        60_000,
        30_000,
        TimeUnit.DAYS.toMillis(7),
        null);
  }

  /** The directories that the service makes, and clears where an earlier run left something. */
  List<Path> directories() {
    return List.of(cacheDir, computesDir(), runDir(), arenasDir());
  }

  /** Where the block maps are on a machine without a memory file system. */
  public Path arenasDir() {
    return cacheDir.resolve("arenas");
  }

  /** One directory for each running compute. */
  public Path computesDir() {
    return cacheDir.resolve("computes");
  }

  /** Sockets; short names, since a socket's path has at most 107 characters. */
  public Path runDir() {
    return cacheDir.resolve("run");
  }
}
