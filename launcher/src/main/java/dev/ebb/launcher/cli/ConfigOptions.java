package dev.ebb.launcher.cli;

import com.sun.management.OperatingSystemMXBean;
import dev.ebb.launcher.config.ConfigException;
import dev.ebb.launcher.config.ConfigReader;
import dev.ebb.launcher.config.ConfigReader.Flag;
import dev.ebb.launcher.config.EbbConfig;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options that make up the configuration: a file, and flags that outrank it. */
final class ConfigOptions {
  private static final long ASSUMED_MEMORY_BYTES = 4L << 30;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "Configuration, YAML or JSON; the flags outrank it.")
  private @Nullable Path file;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      defaultValue = "${env:EBB_DATA}",
      description = "Data directory (default: .ebb).")
  private @Nullable String data;

  @Option(
      names = "--port",
      paramLabel = "PORT",
      description = "Port for PostgreSQL clients (default: 6432).")
  private @Nullable String port;

  @Option(
      names = "--pool-port",
      paramLabel = "PORT",
      description =
          "Second port, on which clients share connections to computes for the length of a"
              + " transaction, or none (default: 6433).")
  private @Nullable String poolPort;

  @Option(
      names = "--http-port",
      paramLabel = "PORT",
      description = "Port of the HTTP API (default: 8432).")
  private @Nullable String httpPort;

  @Option(
      names = "--host",
      paramLabel = "ADDRESS",
      description = "Address for PostgreSQL clients and the HTTP API (default: 127.0.0.1).")
  private @Nullable String host;

  @Option(
      names = "--idle-timeout",
      paramLabel = "TIME",
      description =
          "Suspend what nobody used for so long, such as 30s or 5m; 0: never" + " (default: 5m).")
  private @Nullable String idleTimeout;

  @Option(
      names = "--s3-endpoint",
      paramLabel = "URL",
      description =
          "Keep everything in S3 instead of a directory; credentials from AWS_ACCESS_KEY_ID and"
              + " AWS_SECRET_ACCESS_KEY.")
  private @Nullable String s3Endpoint;

  @Option(names = "--s3-bucket", paramLabel = "NAME", description = "The bucket, which must exist.")
  private @Nullable String s3Bucket;

  @Option(
      names = "--s3-prefix",
      paramLabel = "PREFIX",
      description = "What every key in the bucket begins with (default: ebb).")
  private @Nullable String s3Prefix;

  @Option(
      names = "--s3-region",
      paramLabel = "REGION",
      description = "Region of the bucket (default: us-east-1).")
  private @Nullable String s3Region;

  @Option(
      names = "--unsafe",
      description = "Use a Kafka whose settings allow acknowledged commits to be lost.")
  private boolean unsafe;

  @Option(
      names = "--store-delay",
      paramLabel = "TIME",
      description = "For measurements: adds so much to every request to the store, such as 50ms.")
  private @Nullable String storeDelay;

  /** Reads it all; {@code httpPortPath} is the key that {@code --http-port} stands for. */
  EbbConfig read(String httpPortPath) throws ConfigException {
    List<Flag> flags = new ArrayList<>();
    add(flags, "--data", "dataDir", data);
    add(flags, "--port", "gateway.port", port);
    add(flags, "--pool-port", "gateway.pool.port", poolPort);
    add(flags, "--http-port", httpPortPath, httpPort);
    add(flags, "--host", "gateway.host", host);
    add(flags, "--host", "api.host", host);
    add(flags, "--idle-timeout", "scaler.idleTimeout", idleTimeout);
    add(flags, "--s3-endpoint", "store.s3.endpoint", s3Endpoint);
    add(flags, "--s3-bucket", "store.s3.bucket", s3Bucket);
    add(flags, "--s3-prefix", "store.s3.prefix", s3Prefix);
    add(flags, "--s3-region", "store.s3.region", s3Region);
    add(flags, "--unsafe", "kafka.unsafe", unsafe ? "true" : null);
    add(flags, "--store-delay", "store.delay", storeDelay);
    return new ConfigReader(System.getenv(), machineMemoryBytes()).read(file, flags);
  }

  @Nullable Path file() {
    return file;
  }

  private static void add(List<Flag> flags, String flag, String path, @Nullable String value) {
    if (value != null && !value.isBlank()) {
      flags.add(new Flag(flag, path, value));
    }
  }

  private static long machineMemoryBytes() {
    return ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean machine
        ? machine.getTotalMemorySize()
        : ASSUMED_MEMORY_BYTES;
  }
}
